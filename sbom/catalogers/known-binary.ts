import type { Package } from '../package.ts';
import { MAX_PROGRAM_BYTES } from './cataloger.ts';
import type { Segment } from './elf.ts';
import type { ExecutableReader } from './executable-reader.ts';
import { AROUND_BYTES, type FilePart, type FileParts } from './file-parts.ts';
import { type Signature, signatures } from './signatures.ts';

const PIECE_BYTES = 1024 * 1024;
/** Pieces share so many bytes, as no text that a signature describes is longer. */
const SHARED_BYTES = AROUND_BYTES;

const known = signatures.map((signature) => ({
  ...signature,
  files: new RegExp(`^(?:${signature.files.source})$`),
}));
/** All names at once: most files have none of them, and every file of a layer is asked. */
const anyName = new RegExp(known.map(({ files }) => files.source.replaceAll(/\?<\w+>/g, '?:')).join('|'));

/**
 * What of a path tells which programs the file there may be, as in `python@3.11` or `mariadb`; empty for files of no
 * interest. Hard links to one program mostly have the same.
 */
export function programHint(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (!anyName.test(name)) return '';
  return known.flatMap((signature) => hintOf(signature, name)).join(' ');
}

function hintOf({ name, files }: Signature, file: string): string[] {
  const match = files.exec(file);
  const series = match?.groups?.series;
  return match ? [series ? `${name}@${series}` : name] : [];
}

/** Well-known programs and libraries, from texts in them that state their version. */
export const knownBinary: ExecutableReader = {
  parts({ hint }, segments) {
    if (hint === '') return [];
    const around = anchorsOf(hint);
    return textParts(segments).map((part) => ({ ...part, around }));
  },
  read(file, segments) {
    if (file.hint === '') return undefined;
    const packages = file.hint.split(' ').flatMap((hint) => identify(file, segments, hint));
    return packages.length > 0 ? { packages } : undefined;
  },
};

/** What all texts have in them that these programs are known by; undefined if one has nothing of the kind. */
function anchorsOf(hints: string): readonly string[] | undefined {
  const anchors = hints.split(' ').map((hint) => {
    const [name, series] = hint.split('@');
    return series ? `${series}.` : signatures.find((each) => each.name === name)?.anchor;
  });
  return anchors.every((anchor) => anchor !== undefined) ? anchors : undefined;
}

/** Where constant texts lie: apart from the code, unless a linker has put the two into one segment. */
function textParts(segments: readonly Segment[]): readonly FilePart[] {
  const isText = segments.some(({ isConstant }) => isConstant)
    ? ({ isConstant, isData }: Segment) => isConstant || isData
    : ({ isLoaded }: Segment) => isLoaded;
  let left = MAX_PROGRAM_BYTES;
  return segments.filter(isText).map(({ start, length }) => {
    const part = { start, length: Math.min(length, left) };
    left -= part.length;
    return part;
  });
}

function identify(file: FileParts, segments: readonly Segment[], hint: string): Package[] {
  const [name = '', series] = hint.split('@');
  const signature = signatures.find((each) => each.name === name);
  if (signature === undefined) return [];
  for (const piece of piecesOf(file, textParts(segments))) {
    for (const { groups } of piece.matchAll(signature.text)) {
      const version = groups?.version;
      if (version && (series === undefined || version.startsWith(`${series}.`))) {
        return [{ type: 'generic', name, version }];
      }
    }
  }
  return [];
}

function* piecesOf(file: FileParts, parts: readonly FilePart[]): Generator<string> {
  for (const part of parts) {
    const { start, length } = part;
    const found = file.foundIn(part);
    if (found) {
      for (const piece of found) yield textOf(piece.bytes, piece.start === start);
      continue;
    }
    for (let at = 0; at < length; at += PIECE_BYTES - SHARED_BYTES) {
      yield textOf(file.read(start + at, Math.min(PIECE_BYTES, length - at)), at === 0);
    }
  }
}

/** What is before a segment is not laid into memory with it; no text begins there. */
function textOf(bytes: Buffer, isFirst: boolean): string {
  const text = bytes.toString('latin1');
  return isFirst ? `\0${text}` : text;
}
