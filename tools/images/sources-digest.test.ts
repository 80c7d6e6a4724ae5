import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeImages } from '../images.ts';
import { areCurrent, components, digestOfSources, keepDigest } from './sources-digest.ts';

let root: string;
let images: string;

/** Writes files of a checkout, or of any folder. */
async function write(files: Readonly<Record<string, string>>, folder = root): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
}

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'gatehouse-sources-'));
  images = path.join(root, 'images');
  const manifest = { workspaces: components, dependencies: { node: '24.0.0' } };
  await write({ 'package.json': JSON.stringify(manifest), 'package-lock.json': '{}', '.npmrc': '' });
  for (const name of components) {
    await write({ 'package.json': '{}', 'main.ts': name, Containerfile: 'FROM x' }, path.join(root, name));
  }
  const postgres = path.join(root, 'manifests/components/postgres/image');
  await write({ Containerfile: 'FROM x', 'postgres-in-cluster': '#!/bin/sh' }, postgres);
  await mkdir(images);
});

afterEach(() => rm(root, { recursive: true }));

describe('images', () => {
  it('are current as long as nothing changes that they were built from', async () => {
    await keepDigest(images, await digestOfSources(root));
    expect(await areCurrent(images, root)).toBe(true);
    await write({ 'core/main.test.ts': 'not in the image', 'README.md': 'neither' });
    expect(await areCurrent(images, root)).toBe(true);
  });

  it.each([
    'core/main.ts',
    'core/migrations/2.sql',
    'package-lock.json',
    'webhook/Containerfile',
    'manifests/components/postgres/image/postgres-in-cluster',
  ])('are not current once there is another %s', async (file) => {
    await keepDigest(images, await digestOfSources(root));
    await write({ [file]: JSON.stringify({ other: true }) });
    expect(await areCurrent(images, root)).toBe(false);
  });

  it('are not current if nobody knows what they were built from', async () => {
    expect(await areCurrent(images, root)).toBe(false);
  });

  it('give way to new ones, and nothing else in the folder does', async () => {
    await write(
      { 'core/index.json': '{}', 'postgres/index.json': '{}', 'mine/index.json': '{}', notes: 'x' },
      images,
    );
    await keepDigest(images, await digestOfSources(root));
    await removeImages(images);
    expect((await readdir(images)).sort()).toEqual(['mine', 'notes', 'sources.sha256']);
    expect(await areCurrent(images, root)).toBe(false);
  });
});
