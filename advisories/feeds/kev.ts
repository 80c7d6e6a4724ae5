import { AdvisoryError } from '../errors.ts';
import { Field } from '../fields.ts';
import { parseJson } from './json.ts';
import { type FeedFile, tooLarge } from './source.ts';

/** CISA's catalog of vulnerabilities that are known to be exploited. */
export interface KnownExploited {
  readonly cves: ReadonlySet<string>;
  /** When the catalog was released, as RFC 3339 in UTC. */
  readonly asOf: string;
}

/** More than twenty times the catalog of 2025, which has 1.3 MB for 1,400 entries. */
const MAX_KEV_BYTES = 32 * 1024 ** 2;

export async function readKev(file: FeedFile): Promise<KnownExploited> {
  const { size } = await file.handle.stat();
  if (size > MAX_KEV_BYTES) throw tooLarge(file.name, `${size} bytes`);
  const bytes = Buffer.alloc(size);
  await file.handle.read(bytes, 0, size, 0);
  let json: unknown;
  try {
    json = parseJson(bytes);
  } catch (cause) {
    throw invalid(file.name, cause);
  }
  return parseKev(json, file.name);
}

/**
 * Takes the catalog as CISA publishes it. Throws `kev_invalid` if any entry is not as expected: half a catalog would make
 * the flaws of the other half look harmless.
 */
export function parseKev(json: unknown, name = 'kev.json'): KnownExploited {
  try {
    const catalog = Field.root('the catalog', json);
    const asOf = catalog.get('dateReleased').time();
    const vulnerabilities = catalog.get('vulnerabilities');
    const entries = vulnerabilities.list();
    if (entries.length === 0) vulnerabilities.fail('a list with entries');
    return { cves: new Set(entries.map((entry) => cveId(entry.get('cveID')))), asOf };
  } catch (cause) {
    throw invalid(name, cause);
  }
}

function cveId(field: Field): string {
  const id = field.text();
  if (!/^CVE-\d{4}-\d{4,}$/.test(id)) field.fail('a CVE id');
  return id;
}

function invalid(name: string, cause: unknown): AdvisoryError {
  return new AdvisoryError('kev_invalid', `${name} is not the catalog of known exploited vulnerabilities`, {
    cause,
    hint: 'It should be the JSON file that CISA publishes, known_exploited_vulnerabilities.json.',
  });
}
