/**
 * What a Containerfile does before its last stage: `node tools/image-layers.ts NAME FOLDER` writes the layers that are
 * ours, each as a folder. It runs in a checkout where nothing is installed.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { writeDependencies, writeNode, writeSources } from './images/component.ts';
import { postgresRoot } from './images/postgres.ts';
import { writeRoot } from './images/root.ts';

const root = path.resolve(import.meta.dirname, '..');
const [name = '', folder = ''] = process.argv.slice(2);
await mkdir(folder, { recursive: true });

if (name === 'postgres') {
  await writeRoot(await postgresRoot(root), path.join(folder, 'root'));
} else {
  await writeNode(root, path.join(folder, 'node'));
  await writeDependencies(root, name, path.join(folder, 'dependencies'));
  await writeSources(root, name, path.join(folder, 'sources'));
}
