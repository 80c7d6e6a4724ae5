import { describe, expect, it } from 'vitest';
import { aliasKey, parseReference, referenceKey } from './reference.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

describe('an image reference', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.25', 'docker.io/library/nginx:1.25'],
    ['grafana/grafana', 'docker.io/grafana/grafana:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/library/nginx:1', 'docker.io/library/nginx:1'],
    ['localhost/app:1', 'localhost/app:1'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['registry.example:5000/team/app_x/y.z:v1.2-rc_3', 'registry.example:5000/team/app_x/y.z:v1.2-rc_3'],
    ['[2001:db8::1]:5000/app:1', '[2001:db8::1]:5000/app:1'],
  ])('%s is looked up as %s', (text, key) => {
    const reference = parseReference(text);
    expect(reference && referenceKey(reference)).toBe(key);
  });

  it.each([[`nginx@${digest}`], [`registry.example/app:1@${digest}`], [digest]])(
    '%s is looked up by its digest alone, whatever repository and tag stand before it',
    (text) => {
      expect(aliasKey(text)).toBe(digest);
    },
  );

  it('keeps the tag beside the digest, for people', () => {
    expect(parseReference(`app:1@${digest}`)).toEqual({
      repository: 'docker.io/library/app',
      tag: '1',
      digest,
    });
  });

  it.each([
    ['nothing at all', ''],
    ['upper case in the path', 'registry.example/App'],
    ['a space', 'ngi nx'],
    ['an empty tag', 'nginx:'],
    ['an empty path component', 'registry.example//app'],
    ['a short digest', 'nginx@sha256:abc'],
    ['a digest of another algorithm', `nginx@sha512:${'ab'.repeat(32)}`],
    ['two digests', `nginx@${digest}@${digest}`],
    ['a scheme', 'https://registry.example/app'],
    ['dots that climb', '../../etc/passwd'],
    ['a line break', 'nginx\n:1'],
    ['more than any registry takes', `registry.example/${'a'.repeat(600)}`],
  ])('with %s names no image', (_what, text) => {
    expect(parseReference(text)).toBeUndefined();
  });
});
