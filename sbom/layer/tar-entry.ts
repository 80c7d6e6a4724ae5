import { ArchiveFault } from './archive-fault.ts';
import { cString, type TarHeader } from './tar-header.ts';
import { parsePaxRecords, parsePaxSize } from './tar-pax.ts';

type TarEntryType = 'file' | 'hardlink' | 'symlink' | 'folder' | 'char' | 'block' | 'fifo';

export interface TarEntry extends Omit<TarHeader, 'typeflag'> {
  readonly type: TarEntryType;
  /** Where the body begins in the archive. */
  readonly position: number;
  /** Bytes of the body that follow. */
  readonly bodySize: number;
  /** The body is a map of a sparse file's parts and then the parts; `size` is the size once unpacked. */
  readonly sparse: boolean;
  /** Extended attributes by name. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** Header types that Linux runtimes unpack; at any other they stop with an error, and so does the reader. */
const entryTypes: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'folder',
  '6': 'fifo',
};

const ATTRIBUTE_PREFIX = 'SCHILY.xattr.';
const noRecords: ReadonlyMap<string, string> = new Map();

/** What special headers have said about the entry that follows them. */
export interface Pending {
  pax: ReadonlyMap<string, string>;
  longName: string;
  longLink: string;
}

export const nothingPending = (): Pending => ({ pax: noRecords, longName: '', longLink: '' });

/** Headers that say something about the next one. */
export const specialHeaders: Readonly<Record<string, (pending: Pending, bytes: Buffer) => Pending>> = {
  x: (pending, bytes) => ({ ...pending, pax: parsePaxRecords(bytes) }),
  // Global records are checked and dropped, and with them whatever was said before.
  g: (_pending, bytes) => {
    parsePaxRecords(bytes);
    return nothingPending();
  },
  L: (pending, bytes) => ({ ...pending, longName: cString(bytes) }),
  K: (pending, bytes) => ({ ...pending, longLink: cString(bytes) }),
};

/** What a header and the special ones before it say together; its body begins at `position`. */
export function toEntry(header: TarHeader, { pax, longName, longLink }: Pending, position: number): TarEntry {
  const paxSize = pax.get('size');
  const bodySize = paxSize ? parsePaxSize(paxSize) : header.size;
  const name = longName || pax.get('path') || header.name;
  const type = typeOf(header.typeflag, name);
  const sparse = sparseFile(pax);
  if (sparse && type !== 'file') throw new ArchiveFault('a sparse file that is not a file');
  const size = sparse?.size ?? bodySize;
  if (type === 'file' && (bodySize < 0 || size < 0)) throw new ArchiveFault('a file of a negative size');
  return {
    type,
    name: sparse?.name ?? name,
    linkname: longLink || pax.get('linkpath') || header.linkname,
    size,
    mode: header.mode,
    device: header.device,
    position,
    bodySize: type === 'file' ? bodySize : 0,
    sparse: sparse !== undefined,
    attributes: attributesOf(pax),
  };
}

/** NUL is the type of a file in the oldest archives, which name folders with a slash at the end. */
function typeOf(typeflag: string, name: string): TarEntryType {
  if (typeflag === '\0') return name.endsWith('/') ? 'folder' : 'file';
  const type = entryTypes[typeflag];
  if (type === undefined) throw new ArchiveFault(`an entry of type ${JSON.stringify(typeflag)}`);
  return type;
}

/** The PAX forms of sparse files, https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html */
function sparseFile(pax: ReadonlyMap<string, string>): { name?: string; size?: number } | undefined {
  const version = `${pax.get('GNU.sparse.major') ?? ''}.${pax.get('GNU.sparse.minor') ?? ''}`;
  const known = ['0.0', '0.1', '1.0'].includes(version);
  const hasMap = version === '.' && Boolean(pax.get('GNU.sparse.map') || pax.get('GNU.sparse.offset'));
  if (!known && !hasMap) return undefined;
  const name = pax.get('GNU.sparse.name');
  const size = pax.get('GNU.sparse.size') || pax.get('GNU.sparse.realsize');
  return { ...(name && { name }), ...(size && { size: parsePaxSize(size) }) };
}

function attributesOf(pax: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  if (pax.size === 0) return noRecords;
  const attributes = new Map<string, string>();
  for (const [key, value] of pax) {
    if (key.startsWith(ATTRIBUTE_PREFIX)) attributes.set(key.slice(ATTRIBUTE_PREFIX.length), value);
  }
  return attributes;
}
