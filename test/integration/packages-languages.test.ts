import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { catalogBlob, catalogFolder, type Fragment, fold } from '@gatehouse/sbom';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { need } from '../harness/tools.ts';

let tools: Readonly<Record<'gem' | 'composer', string>>;
beforeAll(async () => {
  tools = await need('gem', 'composer');
});

let root: string;
let work: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'packages-languages-'));
  work = mkdtempSync(join(tmpdir(), 'packages-languages-'));
});
afterEach(() => {
  for (const folder of [root, work]) rmSync(folder, { recursive: true, force: true });
});

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** What a program prints, far from the settings of whoever runs the test. */
function run(program: string, args: readonly string[], cwd = work): string {
  const env = {
    ...process.env,
    HOME: work,
    COMPOSER_HOME: join(work, 'composer'),
    COMPOSER_ALLOW_SUPERUSER: '1',
  };
  return execFileSync(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

/** The fragment of the root, which is the same whether it is read as a folder or as an archive. */
async function fragmentOf(): Promise<Fragment> {
  const folder = await catalogFolder({ layers: [root], index: 0 });
  const tar = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 256 * 1024 ** 2 });
  const { fragment } = await catalogBlob({ name: 'root', open: () => Readable.from([tar]) });
  expect(fragment.evidence).toEqual(folder.evidence);
  return fragment;
}

/** What is found in the root, as `TYPE NAME VERSION` each. */
async function found(): Promise<readonly string[]> {
  const { packages, problems } = fold([await fragmentOf()]);
  expect(problems).toEqual([]);
  return packages.map(({ type, name, version }) => `${type} ${name} ${version}`).sort();
}

/** A gem of our own, as its author would publish it. */
function buildGem(name: string, version: string, field = ''): string {
  const lines = [
    `s.name = '${name}'`,
    `s.version = '${version}'`,
    "s.summary = 'words'",
    "s.authors = ['us']",
    field,
  ];
  write(join(work, `${name}.gemspec`), `Gem::Specification.new do |s|\n${lines.join('\n')}\nend\n`);
  run(tools.gem, ['build', `${name}.gemspec`]);
  const file = readdirSync(work).find(
    (each) => each.startsWith(`${name}-${version}`) && each.endsWith('.gem'),
  );
  return join(work, file ?? '');
}

describe('what installers leave in an image', () => {
  it('shows the gems that RubyGems has installed', async () => {
    const gems = [
      buildGem('plain-gem', '1.2.3'),
      buildGem('early_gem', '2.0.0.pre.1'),
      buildGem('native', '0.1', "s.platform = 'x86_64-linux'"),
    ];
    const folder = join(root, 'usr/local/bundle');
    run(tools.gem, ['install', '--local', '--force', '--no-document', '--install-dir', folder, ...gems]);
    expect(await found()).toEqual(['gem early_gem 2.0.0.pre.1', 'gem native 0.1', 'gem plain-gem 1.2.3']);
  });

  it('shows the gems that came with Ruby, as RubyGems lists them', async () => {
    const folders = run(tools.gem, ['environment', 'gempath']).trim().split(':');
    for (const folder of folders) {
      const from = join(folder, 'specifications');
      if (existsSync(from)) cpSync(from, join(root, from), { recursive: true, dereference: true });
    }
    const lines = run(tools.gem, ['list', '--local']).trim().split('\n');
    const listed = lines.flatMap((line) => {
      const [, name, versions = ''] = /^(\S+) \((.*)\)$/.exec(line) ?? [];
      return versions.split(', ').map((each) => `gem ${name} ${each.replace('default: ', '')}`);
    });
    expect(await found()).toEqual(listed.sort());
  });

  it('shows what Composer has installed', async () => {
    const packages = { 'acme/tool': 'v1.4.0', 'acme/lib': '2.0.0-beta1', 'acme/branch': 'dev-main' };
    const repositories = Object.entries(packages).map(([name, version]) => {
      write(join(work, name, 'composer.json'), JSON.stringify({ name, version }));
      return { type: 'path', url: join(work, name), options: { symlink: false } };
    });
    const project = { repositories: [...repositories, { 'packagist.org': false }], require: packages };
    const folder = join(root, 'srv/app');
    write(join(folder, 'composer.json'), JSON.stringify({ ...project, 'minimum-stability': 'dev' }));
    run(tools.composer, ['install', '--no-interaction', '--quiet'], folder);
    expect(await found()).toEqual([
      'composer acme/branch dev-main',
      'composer acme/lib 2.0.0-beta1',
      'composer acme/tool 1.4.0',
    ]);
    expect(readFileSync(join(folder, 'vendor/composer/installed.json'), 'utf8')).toContain('v1.4.0');
  });

  it('shows the libraries of a Java application, in the archive and beside it', async () => {
    const pom = {
      'META-INF/maven/org.example/lib/pom.properties': 'groupId=org.example\nartifactId=lib\nversion=2.0\n',
    };
    const lib = await zipOf(pom);
    const shop = await zipOf({
      'META-INF/MANIFEST.MF':
        'Manifest-Version: 1.0\r\nImplementation-Title: shop\r\nImplementation-Version: 1.0\r\n',
      'BOOT-INF/lib/lib-2.0.jar': lib,
      'BOOT-INF/lib/spring-core-5.3.20.jar': await zipOf({ 'a.class': 'x'.repeat(100_000) }),
    });
    write(join(root, 'opt/shop.jar'), shop);
    write(join(root, 'opt/lib/lib-2.0.jar'), lib);
    write(
      join(root, 'opt/java/release'),
      'IMPLEMENTOR="Eclipse Adoptium"\nJAVA_VERSION="21.0.4"\nOS_ARCH="x86_64"\n',
    );
    expect(await found()).toEqual([
      'generic openjdk 21.0.4',
      'maven org.example:lib 2.0',
      'maven org.springframework:spring-core 5.3.20',
      'maven shop 1.0',
    ]);
  });
});

describe('an archive of more than 160 MiB', () => {
  it('is read in parts, from the folder and from the stream', async () => {
    const shop = await zipOf({
      'META-INF/maven/org.example/shop/pom.properties': 'groupId=org.example\nartifactId=shop\nversion=3.0\n',
      'data.bin': Buffer.alloc(200 * 1024 ** 2),
    });
    write(join(root, 'opt/shop.jar'), shop);
    expect(await found()).toEqual(['maven org.example:shop 3.0']);
  });
});

async function zipOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const zip = new ZipFile();
  // Libraries lie in an application as they are.
  for (const [name, content] of Object.entries(files)) {
    zip.addBuffer(Buffer.from(content), name, { compress: typeof content === 'string' });
  }
  zip.end();
  return buffer(zip.outputStream);
}
