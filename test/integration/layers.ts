import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { CoreClient, LayerUpload } from '@gatehouse/core-client';
import { CATALOGER_VERSION, catalogBlob, chainIds, encodeFragment, type Fragment } from '@gatehouse/sbom';
import { pack } from 'tar-stream';

/** A layer in memory. */
export interface TestLayer {
  readonly diffId: string;
  readonly tar: Buffer;
}

/** An image in memory. */
export interface TestImage {
  readonly digest: string;
  readonly config: Buffer;
  readonly layers: readonly TestLayer[];
}

export const OS_RELEASE = { 'etc/os-release': 'ID=debian\nVERSION_ID="12"\n' };

/** The package.json of an npm package, where npm puts it. */
export function npmPackage(name: string, version: string): Record<string, string> {
  return { [`srv/node_modules/${name}/package.json`]: JSON.stringify({ name, version }) };
}

/** A Debian root with these packages, as `name version` each, with `source` where that has another name. */
export function debian(...packages: readonly string[]): Record<string, string> {
  const stanzas = packages.map((each) => {
    const [name, version, source] = each.split(' ');
    const from = source === undefined ? '' : `Source: ${source}\n`;
    return `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\n${from}Version: ${version}\n`;
  });
  return { ...OS_RELEASE, 'var/lib/dpkg/status': stanzas.join('\n') };
}

export async function layerOf(files: Readonly<Record<string, string>>): Promise<TestLayer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  const tar = Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>));
  return { diffId: digestOf(tar), tar };
}

export function imageOf(...layers: readonly TestLayer[]): TestImage {
  const rootfs = { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) };
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }));
  return { digest: digestOf(config), config, layers };
}

/** What an agent sends of a layer in its first place, or that at `index`. */
export async function uploadOf(
  image: TestImage,
  diffId: string,
  {
    catalogerVersion = CATALOGER_VERSION,
    index = image.layers.findIndex((layer) => layer.diffId === diffId),
    opacity = 'exact' as Fragment['opacity'],
  } = {},
): Promise<LayerUpload> {
  const layer = image.layers[index];
  if (!layer) throw new Error(`the image has no layer ${diffId}`);
  const { fragment } = await catalogBlob({ name: diffId, open: () => Readable.from([layer.tar]) });
  const content = await encodeFragment({ ...fragment, cataloger: catalogerVersion, opacity });
  const chainId = chainIds(image.layers.map((each) => each.diffId))[index] ?? '';
  return { diffId, catalogerVersion, chainId, content, contentDigest: digestOf(content) };
}

export function describe(image: TestImage, aliases: readonly string[] = []) {
  return {
    digest: image.digest,
    platform: 'linux/amd64',
    diffIds: image.layers.map((layer) => layer.diffId),
    aliases: [...aliases],
    config: image.config,
  };
}

/** Does what an agent does with an image; gives the layers that the core lacked. */
export async function bring(
  agent: CoreClient,
  image: TestImage,
  aliases: readonly string[] = [],
  catalogerVersion = CATALOGER_VERSION,
): Promise<readonly string[]> {
  const { diffIds } = await agent.missingLayers(describe(image, aliases), catalogerVersion);
  for (const diffId of diffIds) await agent.uploadLayer(await uploadOf(image, diffId, { catalogerVersion }));
  return diffIds;
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
