import { mkdir, mkdtempDisposable, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runOk } from '../harness/process.ts';
import { need } from '../harness/tools.ts';

interface Container {
  readonly args: readonly string[];
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
}
interface PodSpec {
  readonly containers: readonly [Container];
  readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
}

/** What of the node the agents of the base see, with a component. */
async function agentWith(
  component: string,
): Promise<{ args: readonly string[]; folders: readonly string[] }> {
  const { kube } = await need('kube');
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-manifests-'));
  // Resources are to be below the folder, or beside it.
  await symlink(path.join(import.meta.dirname, '../../manifests'), path.join(folder.path, 'manifests'));
  const overlay = path.join(folder.path, 'overlay');
  await mkdir(overlay);
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: ['../manifests/base'],
    components: [`../manifests/components/${component}`],
  };
  await writeFile(path.join(overlay, 'kustomization.yaml'), JSON.stringify(kustomization));
  const yaml = await runOk([kube, 'kubectl', 'kustomize', overlay]);
  // The one command that gives objects in another form without a server.
  const form = "jsonpath={.kind}{'\\t'}{.spec.template.spec}{'\\n'}";
  const lines = await runOk(
    [kube, 'kubectl', 'label', '--local', '--filename=-', 'any=label', '--output', form],
    {
      input: yaml,
    },
  );
  const [, spec = ''] = /^DaemonSet\t(.*)$/m.exec(lines) ?? [];
  const { containers, volumes } = JSON.parse(spec) as PodSpec;
  const paths = new Map(volumes.map(({ name, hostPath }) => [name, hostPath?.path]));
  const folders = containers[0].volumeMounts
    // The agent writes nothing but to its own folder, and sees all others where the node has them.
    .filter(({ name, readOnly }) => paths.get(name) !== undefined && readOnly)
    .map(({ name, mountPath }) =>
      paths.get(name) === mountPath ? mountPath : `${paths.get(name)} elsewhere`,
    );
  return { args: containers[0].args, folders };
}

describe('the agents of a cluster', () => {
  it('see the folders of CRI-O in place of containerd’s with its component', async () => {
    const { folders } = await agentWith('crio');
    expect(folders).toEqual(['/run/crio', '/var/lib/containers/storage']);
  });

  it('see the folders of k3s in place of containerd’s with its component, and are told of them', async () => {
    const { args, folders } = await agentWith('k3s');
    expect(folders).toEqual(['/var/lib/rancher/k3s/agent/containerd', '/run/k3s/containerd']);
    expect(args).toEqual(
      expect.arrayContaining([
        '--containerd-socket=/run/k3s/containerd/containerd.sock',
        '--containerd-root=/var/lib/rancher/k3s/agent/containerd',
        '--containerd-state=/run/k3s/containerd',
      ]),
    );
  });
});
