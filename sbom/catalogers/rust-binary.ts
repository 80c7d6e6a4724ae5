import { inflateSync } from 'node:zlib';
import { JsonValue, ShapeFault } from '../json-shape.ts';
import { isPackageText, type Package } from '../package.ts';
import { EvidenceFault, MAX_PROGRAM_BYTES } from './cataloger.ts';
import { findSection, sectionParts } from './elf-sections.ts';
import type { ExecutableReader } from './executable-reader.ts';
import { type FilePart, type FileParts, OutsideParts } from './file-parts.ts';

/** Programs of 400 crates have 4 KB, 30 KB when inflated. */
const MAX_SECTION_BYTES = 1024 * 1024;
const MAX_JSON_BYTES = 8 * 1024 * 1024;
const MAX_CRATES = 20_000;

/**
 * Rust programs that were built with `cargo auditable`, from the list of crates that it links in:
 * https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md. That ELF section is zlib-compressed JSON.
 */
export const rustBinary: ExecutableReader = {
  parts: sectionParts,
  read(file) {
    const section = findList(file);
    if (section === undefined) return undefined;
    if (section.length > MAX_SECTION_BYTES) throw new EvidenceFault('the list of crates is too long');
    return { packages: parseList(inflate(file.read(section.start, section.length))) };
  },
};

function findList(file: FileParts): FilePart | undefined {
  try {
    return findSection(file, '.dep-v0');
  } catch (error) {
    // The names of the sections are not where linkers put them. That alone makes no evidence of a program that is too
    // large to be read as a whole.
    if (error instanceof OutsideParts && file.size > MAX_PROGRAM_BYTES) return undefined;
    throw error;
  }
}

function inflate(bytes: Buffer): string {
  try {
    return inflateSync(bytes, { maxOutputLength: MAX_JSON_BYTES }).toString('utf8');
  } catch {
    throw new EvidenceFault('the list of crates cannot be inflated');
  }
}

function parseList(text: string): readonly Package[] {
  try {
    const document: unknown = JSON.parse(text);
    return new JsonValue(document, 'list')
      .get('packages')
      .list(MAX_CRATES, parseCrate)
      .filter((each) => each !== undefined);
  } catch (error) {
    throw new EvidenceFault(
      error instanceof ShapeFault
        ? `the list of crates is damaged: ${error.message}`
        : 'the list of crates is not JSON',
    );
  }
}

/** Undefined for what only ran during the build, such as code generators: nothing of it is in the program. */
function parseCrate(crate: JsonValue): Package | undefined {
  const kind = crate.get('kind').optional((each) => each.text(isPackageText, 'a kind'));
  if (kind !== undefined && kind !== 'runtime') return undefined;
  return {
    type: 'cargo',
    name: crate.get('name').text(isPackageText, 'a name'),
    version: crate.get('version').text(isPackageText, 'a version'),
  };
}
