import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { catalogFolder, fold, type ImageContents } from '@gatehouse/sbom';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { need } from '../harness/tools.ts';

let tools: Readonly<Record<'apk' | 'nfpm', string>>;
beforeAll(async () => {
  tools = await need('apk', 'nfpm');
});

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'packages-apk-'));
  root = join(folder, 'root');
  mkdirSync(root);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A package as its maintainer would build it, with one file of a package of npm in it. */
function build(name: string, version: string): string {
  const manifest = join(folder, `${name}.json`);
  writeFileSync(manifest, JSON.stringify({ name: `in-${name}`, version: '1.0.0' }));
  const config = join(folder, `${name}.yaml`);
  const dst = `/usr/lib/node_modules/in-${name}/package.json`;
  const [number, release] = version.split('-r');
  writeFileSync(
    config,
    JSON.stringify({
      name,
      arch: 'amd64',
      platform: 'linux',
      version: number,
      version_schema: 'none',
      release,
      maintainer: 'us',
      description: 'words',
      contents: [{ src: manifest, dst }],
    }),
  );
  const file = join(folder, `${name}.apk`);
  execFileSync(tools.nfpm, ['package', '-f', config, '-p', 'apk', '-t', file], { stdio: 'pipe' });
  return file;
}

async function contentsOf(): Promise<ImageContents> {
  return fold([await catalogFolder({ layers: [root], index: 0 })]);
}

describe('packages of apk', () => {
  beforeEach(() => {
    const files = [build('tool-box', '1.2.3-r4'), build('py3-thing', '2.0_rc1-r0')];
    execFileSync(tools.apk, [root, ...files], { stdio: 'pipe' });
  });

  it('are those that an installer of apk has put there', async () => {
    const { packages, problems } = await contentsOf();
    expect(problems).toEqual([]);
    const found = packages.filter(({ type }) => type === 'apk');
    expect(found.map(({ name, version, arch }) => [name, version, arch])).toEqual([
      ['py3-thing', '2.0_rc1-r0', 'x86_64'],
      ['tool-box', '1.2.3-r4', 'x86_64'],
    ]);
    expect(readFileSync(join(root, 'usr/lib/apk/db/installed'), 'utf8')).toContain('P:tool-box\n');
  });

  it('own the files that it has put there, and no others', async () => {
    const other = join(root, 'usr/lib/node_modules/other');
    mkdirSync(other);
    writeFileSync(join(other, 'package.json'), '{"name":"other","version":"1.0.0"}');
    const { packages } = await contentsOf();
    const found = packages.filter(({ type }) => type === 'npm');
    expect(found.map(({ name, locations }) => [name, locations[0]?.owned])).toEqual([
      ['in-py3-thing', true],
      ['in-tool-box', true],
      ['other', false],
    ]);
  });
});
