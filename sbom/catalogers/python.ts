import { type Cataloger, type Findings, MAX_TEXT_BYTES, textOf } from './cataloger.ts';
import { parseStanzas } from './stanzas.ts';

/** Where installers leave the metadata of a distribution: wheels, setuptools, distutils, and unpacked eggs. */
const METADATA = /[^/]\.(?:dist-info\/METADATA|egg-info(?:\/PKG-INFO)?|egg\/EGG-INFO\/PKG-INFO)$/;

/** Python distributions, from their core metadata (https://packaging.python.org/specifications/core-metadata). */
export const python: Cataloger = {
  name: 'python',
  version: 1,
  maxBytes: MAX_TEXT_BYTES,
  matches: (path) => METADATA.test(path),
  catalog(file): Findings {
    const fields = parseStanzas(textOf(file)).next().value;
    const name = fields?.get('name');
    const version = fields?.get('version');
    if (name && version) return { packages: [{ type: 'pypi', name, version }] };
    const message = 'the metadata lack the name or the version of the distribution';
    return { packages: [], problem: { code: 'evidence_invalid', message } };
  },
};
