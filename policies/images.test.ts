import { describe, expect, it } from 'vitest';
import { bearsImages, imagesOf } from './images.ts';

const spec = {
  initContainers: [
    { name: 'setup', image: 'init:1' },
    { name: 'sidecar', image: 'sidecar:1', restartPolicy: 'Always' },
  ],
  containers: [{ name: 'app', image: 'app:1' }],
  ephemeralContainers: [{ name: 'debugger', image: 'debug:1' }],
  volumes: [
    { name: 'model', image: { reference: 'model:1', pullPolicy: 'IfNotPresent' } },
    { name: 'scratch', emptyDir: {} },
  ],
};

describe('the images of an object', () => {
  it('are those of all positions of a pod: init, main and debug containers, and image volumes', () => {
    expect(imagesOf({ group: '', kind: 'Pod' }, { spec })).toEqual([
      { container: 'setup', position: 'init', reference: 'init:1', pointer: '/spec/initContainers/0/image' },
      {
        container: 'sidecar',
        position: 'init',
        reference: 'sidecar:1',
        pointer: '/spec/initContainers/1/image',
      },
      { container: 'app', position: 'container', reference: 'app:1', pointer: '/spec/containers/0/image' },
      {
        container: 'debugger',
        position: 'ephemeral',
        reference: 'debug:1',
        pointer: '/spec/ephemeralContainers/0/image',
      },
      {
        container: 'model',
        position: 'volume',
        reference: 'model:1',
        pointer: '/spec/volumes/0/image/reference',
      },
    ]);
  });

  it.each([
    ['', 'PodTemplate', { template: { spec } }, '/template/spec/containers/0/image'],
    ['', 'ReplicationController', { spec: { template: { spec } } }, '/spec/template/spec/containers/0/image'],
    ['apps', 'Deployment', { spec: { template: { spec } } }, '/spec/template/spec/containers/0/image'],
    ['apps', 'ReplicaSet', { spec: { template: { spec } } }, '/spec/template/spec/containers/0/image'],
    ['apps', 'StatefulSet', { spec: { template: { spec } } }, '/spec/template/spec/containers/0/image'],
    ['apps', 'DaemonSet', { spec: { template: { spec } } }, '/spec/template/spec/containers/0/image'],
    ['batch', 'Job', { spec: { template: { spec } } }, '/spec/template/spec/containers/0/image'],
    [
      'batch',
      'CronJob',
      { spec: { jobTemplate: { spec: { template: { spec } } } } },
      '/spec/jobTemplate/spec/template/spec/containers/0/image',
    ],
  ])('are found where %s/%s has its pod template', (group, kind, object, pointer) => {
    const images = imagesOf({ group, kind }, object);
    expect(images).toHaveLength(5);
    expect(images.map((image) => image.pointer)).toContain(pointer);
  });

  it('are none in kinds that run nothing', () => {
    expect(bearsImages({ group: '', kind: 'ConfigMap' })).toBe(false);
    expect(imagesOf({ group: '', kind: 'PodExecOptions' }, { spec })).toEqual([]);
  });

  it('are none in a kind of the same name in a foreign group', () => {
    expect(imagesOf({ group: 'example.org', kind: 'Deployment' }, { spec: { template: { spec } } })).toEqual(
      [],
    );
  });

  it.each([[null], ['text'], [{}], [{ spec: null }], [{ spec: { containers: 'many' } }], [{ spec: [] }]])(
    'are none where %j stands for the object',
    (object) => {
      expect(imagesOf({ group: '', kind: 'Pod' }, object)).toEqual([]);
    },
  );

  it('include containers whose image is missing or no text, for they have no verdict either', () => {
    const containers = [{ name: 'none' }, { name: 'number', image: 7 }, null];
    expect(
      imagesOf({ group: '', kind: 'Pod' }, { spec: { containers } }).map((image) => image.reference),
    ).toEqual(['', '', '']);
  });
});
