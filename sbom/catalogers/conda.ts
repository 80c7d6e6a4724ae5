import { type Cataloger, EvidenceFault, type Findings, MAX_TEXT_BYTES } from './cataloger.ts';
import { jsonOf, textIn } from './json-file.ts';

/** Conda keeps one file for each package that is in an environment. */
const RECORD = /(^|\/)conda-meta\/[^/]+\.json$/;

/** Packages of conda and its kin, from the records of the environments that they are in. */
export const conda: Cataloger = {
  name: 'conda',
  version: 1,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => RECORD.test(path),
  catalog(file): Findings {
    const record = jsonOf(file);
    const name = textIn(record, 'name');
    const version = textIn(record, 'version');
    if (name && version) return { packages: [{ type: 'conda', name, version }] };
    throw new EvidenceFault('the record lacks the name or the version of the package');
  },
};
