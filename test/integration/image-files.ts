import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

interface ImageContent {
  readonly config: Readonly<Record<string, unknown>>;
  /** Of each path: what it is, its mode, whose it is, and where it leads or a digest of what is in it. */
  readonly files: ReadonlyMap<string, string>;
}

/** Reads an image that is a folder of the OCI layout, and whose layers take nothing away. */
export async function readImage(folder: string): Promise<ImageContent> {
  const blob = (digest: string): string => path.join(folder, 'blobs', ...digest.split(':'));
  const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'));
  const index = await read(path.join(folder, 'index.json'));
  const manifest = await read(blob(index.manifests[0].digest));
  const files = new Map<string, string>();
  for (const { digest, mediaType } of manifest.layers) {
    const gunzip = mediaType.endsWith('+gzip') ? [createGunzip()] : [];
    const tar = extract();
    const read = pipeline([createReadStream(blob(digest)), ...gunzip, tar]);
    for await (const entry of tar) {
      const { name, type, mode = 0, uid, gid, linkname = '' } = entry.header;
      const hash = createHash('sha256');
      for await (const chunk of entry as AsyncIterable<Buffer>) hash.update(chunk);
      const content = type === 'file' ? hash.digest('hex') : linkname;
      // Some write the type of a file into its mode, too.
      const permissions = (mode & 0o7777).toString(8);
      files.set(path.resolve('/', name), `${type} ${permissions} ${uid}:${gid} ${content}`);
    }
    await read;
  }
  // What a runtime makes anyway; not all write it.
  files.delete('/');
  return { config: (await read(blob(manifest.config.digest))).config, files };
}

/** What two images differ in, a line a file. */
export function differences(one: ImageContent['files'], other: ImageContent['files']): readonly string[] {
  const paths = [...new Set([...one.keys(), ...other.keys()])].sort();
  return paths
    .filter((file) => one.get(file) !== other.get(file))
    .map((file) => `${file}: ${one.get(file)} | ${other.get(file)}`);
}
