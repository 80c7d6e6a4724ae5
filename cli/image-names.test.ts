import type { RuntimeImage } from '@gatehouse/agent/main.ts';
import { describe, expect, it } from 'vitest';
import { findNamed } from './image-names.ts';

const id = (start: string): string => `sha256:${start.padEnd(64, '0')}`;
const images: readonly RuntimeImage[] = [
  {
    digest: id('aaaaaaaaaaaa1'),
    aliases: ['docker.io/library/debian:12', `docker.io/library/debian@${id('b')}`],
  },
  { digest: id('aaaaaaaaaaaa2'), aliases: ['localhost:5000/team/app:1', 'localhost:5000/team/app:latest'] },
  { digest: id('cccccccccccc'), aliases: ['localhost:5000/team/app:2'] },
  { digest: id('dddddddddddd'), aliases: ['localhost/own:1'] },
  { digest: id('eeeeeeeeeeee'), aliases: ['localhost/own:2'] },
];
const found = (name: string): number => images.indexOf(findNamed('docker', images, name));

describe('an image of a runtime', () => {
  it.each([
    ['the whole name', 'docker.io/library/debian:12', 0],
    ['the name without where it comes from', 'debian:12', 0],
    ['the name without the tag, where only one image has it', 'debian', 0],
    ['the name without the tag, where one of them is the latest', 'localhost:5000/team/app', 1],
    ['another tag', 'localhost:5000/team/app:2', 2],
    ['the id', id('cccccccccccc'), 2],
    ['the id as Podman shows it', 'c'.repeat(12).padEnd(64, '0'), 2],
    ['the id as Docker shows it', 'cccccccccccc', 2],
  ])('is found by %s', (_what, name, index) => {
    expect(found(name)).toBe(index);
  });

  it.each([
    ['a tag that it does not have', 'debian:13', /has no image debian:13/],
    ['the digits of several ids', 'a'.repeat(12), /several images.*/],
    ['the name of several, none of which is the latest', 'own', /several images that 'own' could mean/],
    ['a part of a name', 'app', /has no image app/],
  ])('is not found by %s', (_what, name, message) => {
    expect(() => found(name)).toThrow(message);
  });

  it('that could be one of several is asked for by what they are called', () => {
    expect(() => found('own')).toThrow(
      expect.objectContaining({ hint: 'Name one of localhost/own:1, localhost/own:2.' }),
    );
  });
});
