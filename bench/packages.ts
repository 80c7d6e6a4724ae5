/**
 * What is found in four images, beside what Syft finds in them, by name, version and type: one of Debian's, one of apk's,
 * one of RPM's, and one with Java. Each difference has to have a reason in ./packages/differences.ts; ends with 1 where
 * one has none. Prints one JSON line. Needs root, and some 10 min the first time.
 *
 *   node bench/packages.ts [IMAGE...]
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { catalogBlob, type Fragment, fold, type ImageContents, openSource } from '@gatehouse/sbom';
import { buildImage } from '../test/harness/images.ts';
import { progress, runOk } from '../test/harness/process.ts';
import { need } from '../test/harness/tools.ts';
import { type Comparison, compare, type SyftPackage } from './packages/compare.ts';
import { images } from './packages/images.ts';

async function main(names: readonly string[]): Promise<void> {
  const results: Record<string, Comparison> = {};
  for (const name of names) results[name] = await compareImage(name);
  process.stdout.write(`${JSON.stringify({ bench: 'packages', images: results })}\n`);
  if (Object.values(results).some(({ unexplained }) => unexplained.length > 0)) process.exitCode = 1;
}

async function compareImage(name: string): Promise<Comparison & Pick<ImageContents, 'problems'>> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const makeLayers = images[name];
  if (makeLayers === undefined)
    throw new Error(`there is no image ${name}: ${Object.keys(images).join(', ')}`);
  await mkdir(path.join(folder, 'layers'));
  const layers = await makeLayers(path.join(folder, 'layers'));
  const image = path.join(folder, 'image');
  await buildImage(image, { name: 'bench.test/app:1', layers: layers.map((layer) => ({ folder: layer })) });
  progress(`reading the ${name} image`);
  const { packages, problems } = await byUs(image);
  return { ...compare(name, packages, await bySyft(image, folder)), problems };
}

async function byUs(folder: string): Promise<ImageContents> {
  await using image = await openSource(`oci-dir:${folder}`);
  const fragments: Fragment[] = [];
  for (const layer of image.layers) fragments.push((await catalogBlob(layer, layer)).fragment);
  return fold(fragments);
}

/** Of a folder Syft believes lock files, of an image what is installed. */
async function bySyft(image: string, home: string): Promise<readonly SyftPackage[]> {
  const { syft } = await need('syft');
  const env = { SYFT_CHECK_FOR_APP_UPDATE: 'false', HOME: home };
  const output = await runOk([syft, 'scan', '--quiet', '--output', 'json', `oci-dir:${image}`], { env });
  return (JSON.parse(output) as { artifacts: readonly SyftPackage[] }).artifacts;
}

await main(process.argv.length > 2 ? process.argv.slice(2) : Object.keys(images));
