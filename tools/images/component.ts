import { createHash } from 'node:crypto';
import { cp, glob, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { cached } from '../../test/harness/cache.ts';
import { progress, runOk } from '../../test/harness/process.ts';
import { closureOf } from './closure.ts';

/** Besides code, what is read while it runs. */
const NEEDED = ['**/*.ts', '**/*.sql', '*.tar.gz', 'package.json'];
const NOT_NEEDED = ['**/node_modules/**', '**/*.test.ts'];

/** Puts the files that a component runs from into `folder`/app. */
export async function copySources(root: string, component: string, folder: string): Promise<void> {
  for (const workspace of await closureOf(root, component)) {
    for await (const file of glob(NEEDED, { cwd: path.join(root, workspace), exclude: NOT_NEEDED })) {
      const to = path.join(folder, 'app', workspace, file);
      await mkdir(path.dirname(to), { recursive: true });
      await cp(path.join(root, workspace, file), to);
    }
  }
}

/**
 * The folder with app/node_modules of a component: what it depends on, as the lock file has it, and nothing else.
 * Install scripts do not run.
 */
export async function installDependencies(root: string, component: string): Promise<string> {
  const manifests = ['package.json', 'package-lock.json', '.npmrc', ...(await workspacesOf(root))];
  const hash = createHash('sha256').update(component);
  for (const file of manifests) hash.update(await readFile(path.join(root, file)));
  return cached('image-modules', `${component}-${hash.digest('hex').slice(0, 12)}`, async (unfinished) => {
    progress(`installing what the ${component} depends on`);
    const app = path.join(unfinished, 'app');
    for (const file of manifests) {
      await mkdir(path.dirname(path.join(app, file)), { recursive: true });
      await cp(path.join(root, file), path.join(app, file));
    }
    await runOk(
      ['npm', 'ci', '--workspace', component, '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'],
      {
        cwd: app,
      },
    );
    for (const file of manifests) await runOk(['rm', '-r', path.join(app, file)]);
    await runOk(['find', app, '-depth', '-type', 'd', '-empty', '-delete']);
  });
}

/** The manifests of all workspaces: npm wants to see every one that the lock file names. */
async function workspacesOf(root: string): Promise<readonly string[]> {
  const { workspaces } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
    workspaces: readonly string[];
  };
  return workspaces.map((workspace) => path.join(workspace, 'package.json'));
}
