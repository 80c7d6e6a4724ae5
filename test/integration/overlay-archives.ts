import { execFileSync } from 'node:child_process';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import type { LayerBlob } from '@gatehouse/sbom';
import type { TarEntry } from '../../sbom/layer/tar-entry.ts';
import { TarReader } from '../../sbom/layer/tar-reader.ts';
import { type SampleEntry, tarOf } from '../../sbom/testing/archives.ts';

/** What entries of this bench's layers are called by who packs them. */
const packedTypes = { file: 'file', folder: 'directory', symlink: 'symlink' } as const;

/** The folder of a layer as GNU tar packs it, with the kernel's own marks: devices 0:0 and extended attributes. */
export function packWithMarks(layer: string): Buffer {
  const args = ['--xattrs', '--xattrs-include=trusted.overlay.opaque', '-C', layer, '-c', '.'];
  return execFileSync('tar', args, { maxBuffer: 64 * 1024 * 1024 });
}

/** The same archive with the whiteouts of the OCI specification in place of the marks, as registries have it. */
export function toOciLayer(archive: Buffer): Promise<Buffer> {
  const entries: SampleEntry[] = [];
  const reader = new TarReader((entry) => {
    const pieces: Buffer[] = [];
    const end = (): void => {
      entries.push(...toOciEntries(entry, Buffer.concat(pieces)));
    };
    return { write: (chunk) => pieces.push(chunk), end };
  });
  reader.write(archive);
  reader.end();
  return tarOf(entries);
}

function toOciEntries({ name, type, linkname, attributes }: TarEntry, content: Buffer): SampleEntry[] {
  if (type === 'char') return [{ name: posix.join(posix.dirname(name), `.wh.${posix.basename(name)}`) }];
  if (type === 'hardlink' || type === 'block' || type === 'fifo')
    throw new Error(`no layer here has a ${type}`);
  const kept = { name, type: packedTypes[type], linkname, content };
  const isOpaque = attributes.get('trusted.overlay.opaque') === 'y';
  return isOpaque ? [kept, { name: posix.join(name, '.wh..wh..opq') }] : [kept];
}

export function blobOf(bytes: Buffer): LayerBlob {
  return { name: 'layer', open: () => Readable.from([bytes]) };
}
