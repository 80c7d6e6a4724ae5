import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { debianRoot } from '../harness/base-images.ts';
import { cached } from '../harness/cache.ts';
import { buildPrograms } from '../harness/go-build.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { progress, runOk } from '../harness/process.ts';
import { need } from '../harness/tools.ts';

/** The images that the tests run, each in a folder of the OCI layout. */
export interface TestImages {
  /** A Debian root with old packages of npm, PyPI and Go on top, each with real advisories in test/fixtures/feeds. */
  readonly vulnerable: Image;
  /** The same layers and one more, with another old package. */
  readonly sibling: Image;
  /** The Debian root alone: it has findings, but none that the default policy minds. */
  readonly clean: Image;
  /** One that is never run before it is asked for. */
  readonly stranger: Image;
}

/** In bookworm without security updates: the facts are in test/fixtures/feeds/Debian. */
const DEBIAN_PACKAGES = ['libmodbus5', 'libxfont2'];
const NPM_PACKAGES = ['lodash@4.17.15', 'minimist@1.2.0', 'jquery@3.4.1'];
const PYPI_PACKAGES = ['jinja2==2.10', 'urllib3==1.26.4'];
const SIBLING_PACKAGE = 'minimist@1.2.5';

const SLEEPS = { Entrypoint: ['/bin/sh', '-c', 'trap "exit 0" TERM; sleep infinity & wait'] };

export async function makeTestImages(folder: string): Promise<TestImages> {
  const root = { tar: await debianRoot(DEBIAN_PACKAGES) };
  const image = (
    name: string,
    options: Omit<Parameters<typeof buildImage>[1], 'name' | 'config'>,
  ): Promise<Image> =>
    buildImage(path.join(folder, name), { name: `registry.test/shop/${name}:1`, config: SLEEPS, ...options });
  const clean = await image('clean', { layers: [root] });
  const vulnerable = await image('vulnerable', {
    base: clean,
    layers: [
      { folder: await npmPackages(NPM_PACKAGES) },
      // The three compressions that layers come in.
      { folder: await pypiPackages(PYPI_PACKAGES), compression: 'zstd' },
      { folder: await goProgram(), compression: 'none' },
    ],
  });
  const sibling = await image('sibling', {
    base: vulnerable,
    layers: [{ folder: await npmPackages([SIBLING_PACKAGE], 'srv/other') }],
  });
  const stranger = await image('stranger', {
    base: clean,
    layers: [{ folder: await npmPackages([SIBLING_PACKAGE], 'srv/third') }],
  });
  return { vulnerable, sibling, clean, stranger };
}

/** A folder with packages of npm below `place`, as `npm install` puts them there. */
async function npmPackages(packages: readonly string[], place = 'srv/app'): Promise<string> {
  return cached('test-npm', keyOf([place, ...packages]), async (unfinished) => {
    progress(`fetching ${packages.join(', ')}`);
    const prefix = path.join(unfinished, place);
    await mkdir(prefix, { recursive: true });
    await runOk([
      'npm',
      'install',
      '--prefix',
      prefix,
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      ...packages,
    ]);
  });
}

async function pypiPackages(packages: readonly string[]): Promise<string> {
  const { pip } = await need('pip');
  return cached('test-pypi', keyOf(packages), async (unfinished) => {
    progress(`fetching ${packages.join(', ')}`);
    const target = path.join(unfinished, 'opt', 'python');
    await runOk([pip, 'install', '--quiet', '--no-deps', '--no-compile', '--target', target, ...packages]);
  });
}

async function goProgram(): Promise<string> {
  const program = await buildPrograms({
    name: 'program',
    version: '1',
    usually: '10 s',
    from: { folder: '../fixtures/go-program' },
  });
  return cached('test-go', path.basename(program), async (unfinished) => {
    await mkdir(path.join(unfinished, 'usr', 'local', 'bin'), { recursive: true });
    await runOk([
      'cp',
      path.join(program, 'program'),
      path.join(unfinished, 'usr', 'local', 'bin', 'program'),
    ]);
  });
}

function keyOf(words: readonly string[]): string {
  return words.join('-').replaceAll(/[^\w.=@-]/g, '_');
}
