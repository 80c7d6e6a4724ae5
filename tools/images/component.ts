import { cp, glob, mkdir, mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { closureOf } from './closure.ts';
import { run } from './run.ts';

/** Besides code, what is read while it runs. */
const NEEDED = ['**/*.ts', '**/*.sql', '*.tar.gz', 'package.json'];
const NOT_NEEDED = ['**/node_modules/**', '**/testing/**', '**/*.test.ts'];

const INSTALLING = ['--ignore-scripts', '--no-audit', '--no-fund'];

/** Puts the Node.js that package.json pins to `folder`/usr/local/bin/node. */
export async function writeNode(root: string, folder: string): Promise<void> {
  await using made = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-node-'));
  // What the npm package `node` installs by its script.
  const name = `node-linux-${process.arch}`;
  const wanted = `${name}@${await nodeVersion(root)}`;
  await run(['npm', 'install', '--prefix', made.path, '--no-save', ...INSTALLING, wanted]);
  const bin = path.join(folder, 'usr', 'local', 'bin');
  await mkdir(bin, { recursive: true });
  await cp(path.join(made.path, 'node_modules', name, 'bin', 'node'), path.join(bin, 'node'));
}

export async function nodeVersion(root: string): Promise<string> {
  const { dependencies } = await readManifest(root);
  return dependencies.node;
}

/**
 * Puts what a component depends on into `folder`/app/node_modules, as the lock file has it, and nothing else. Install
 * scripts do not run.
 */
export async function writeDependencies(root: string, component: string, folder: string): Promise<void> {
  const app = path.join(folder, 'app');
  const manifests = await installationFiles(root);
  for (const file of manifests) {
    await mkdir(path.dirname(path.join(app, file)), { recursive: true });
    await cp(path.join(root, file), path.join(app, file));
  }
  await run(['npm', 'ci', '--workspace', component, '--omit=dev', ...INSTALLING], { cwd: app });
  for (const file of manifests) await run(['rm', '-r', path.join(app, file)]);
  await run(['find', app, '-depth', '-type', 'd', '-empty', '-delete']);
}

/** What npm reads to install: it wants to see the manifests of all workspaces that the lock file names. */
export async function installationFiles(root: string): Promise<readonly string[]> {
  const { workspaces } = await readManifest(root);
  const manifests = workspaces.map((workspace) => path.join(workspace, 'package.json'));
  return ['package.json', 'package-lock.json', '.npmrc', ...manifests];
}

/** Puts the files that a component runs from into `folder`/app. */
export async function writeSources(root: string, component: string, folder: string): Promise<void> {
  for (const file of await sourceFiles(root, component)) {
    const to = path.join(folder, 'app', file);
    await mkdir(path.dirname(to), { recursive: true });
    await cp(path.join(root, file), to);
  }
}

/** The paths in the checkout of the files that a component runs from. */
export async function sourceFiles(root: string, component: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const workspace of await closureOf(root, component)) {
    for await (const file of glob(NEEDED, { cwd: path.join(root, workspace), exclude: NOT_NEEDED })) {
      found.push(path.join(workspace, file));
    }
  }
  return found.sort();
}

interface RootManifest {
  readonly workspaces: readonly string[];
  readonly dependencies: { readonly node: string };
}

async function readManifest(root: string): Promise<RootManifest> {
  return JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as RootManifest;
}
