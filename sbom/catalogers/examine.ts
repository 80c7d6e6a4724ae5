import { MAX_PACKAGES } from '../fragment.ts';
import { isSoundOs } from '../os-release.ts';
import { isSound, packageKey } from '../package.ts';
import { type Cataloger, EvidenceFault, type Findings } from './cataloger.ts';
import { type FilePart, type FileParts, OutsideParts, type WantedPart } from './file-parts.ts';

const UNSOUND = { code: 'evidence_invalid', message: 'a text is empty, endless or not printable' } as const;

/**
 * What of a file its cataloger reads, told from the head alone so that it can be kept while a stream passes by;
 * undefined if the file is no evidence.
 */
export function partsOf(
  cataloger: Cataloger,
  head: Buffer,
  { size, hint }: { readonly size: number; readonly hint: string },
): readonly WantedPart[] | undefined {
  if (!cataloger.parts) return wholeOf(cataloger, size);
  try {
    return cataloger.parts(head, size, hint);
  } catch {
    // The head alone does not tell; `examine` finds the head alone too, and asks for the whole file.
    return [];
  }
}

/** The whole file, or nothing of it if it is too large. */
export function wholeOf(cataloger: Cataloger, size: number): readonly FilePart[] {
  return size > cataloger.maxBytes ? [] : [{ start: 0, length: size }];
}

/** The parts that there are do not suffice: other ones do, or only the whole file. */
export type Lacking = 'needs-whole' | { readonly needs: readonly FilePart[] };
/** Undefined if the file is no evidence. */
export type Examined = Findings | Lacking | undefined;

export function isLacking(found: Examined): found is Lacking {
  return found === 'needs-whole' || (typeof found === 'object' && 'needs' in found);
}

/** The parts for a second look; none if they are more than are read of a file: who asks for them may be taken over. */
export function partsLacking(
  lacking: Lacking | undefined,
  cataloger: Cataloger,
  size: number,
): readonly FilePart[] {
  if (typeof lacking !== 'object') return wholeOf(cataloger, size);
  const isSound = ({ start, length }: FilePart): boolean =>
    [start, length].every((each) => Number.isSafeInteger(each) && each >= 0) && start + length <= size;
  const total = lacking.needs.reduce((sum, { length }) => sum + length, 0);
  return lacking.needs.every(isSound) && total <= cataloger.maxBytes ? lacking.needs : [];
}

/** What is known of a file of which even the second look did not find enough. */
export function settleLacking(found: Examined, size: number): Findings | undefined {
  return isLacking(found) ? tooLarge(size) : found;
}

/**
 * What a cataloger finds in a file; undefined if it is no evidence, and what it lacks if the parts that are there do not
 * suffice. Never throws for what is in the file: a fault in it is a finding, for the file is evidence all the same and
 * hides that of a lower layer.
 */
export function examine(cataloger: Cataloger, file: FileParts): Examined {
  try {
    const findings = cataloger.catalog(file);
    return findings && settle(findings);
  } catch (error) {
    if (error instanceof EvidenceFault) return fault('evidence_invalid', error.message);
    if (!(error instanceof OutsideParts)) return fault('evidence_invalid', 'the file cannot be parsed');
    if (error.needs) return { needs: error.needs };
    return file.size <= cataloger.maxBytes ? 'needs-whole' : tooLarge(file.size);
  }
}

function tooLarge(size: number): Findings {
  return fault('evidence_too_large', `the file has ${size} bytes`);
}

function fault(code: NonNullable<Findings['problem']>['code'], message: string): Findings {
  return { packages: [], problem: { code, message } };
}

/** Findings without what no package can be, each package once, and in an order of their own. */
function settle({ packages, owns, os, problem }: Findings): Findings {
  const sound = new Map(packages.filter(isSound).map((each) => [packageKey(each), each]));
  if (sound.size > MAX_PACKAGES) return fault('evidence_too_large', `the file names ${sound.size} packages`);
  const hasSoundOs = os === undefined || isSoundOs(os);
  const isSoundAll = hasSoundOs && packages.every(isSound);
  return {
    packages: [...sound].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each),
    owns,
    os: hasSoundOs ? os : undefined,
    problem: problem ?? (isSoundAll ? undefined : UNSOUND),
  };
}
