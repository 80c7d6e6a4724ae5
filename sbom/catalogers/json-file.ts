import { EvidenceFault, textOf } from './cataloger.ts';
import type { FileParts } from './file-parts.ts';

/** A JSON document; throws EvidenceFault. */
export function jsonOf(file: FileParts): unknown {
  try {
    // Some editors on Windows begin a file with a byte order mark.
    return JSON.parse(textOf(file).replace(/^\uFEFF/, ''));
  } catch {
    // The parser's own words quote the file and change with its version.
    throw new EvidenceFault('the file is not JSON');
  }
}

/** A member of an object, but none that objects have from elsewhere. */
export function memberOf(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

/** A member that is a text with something in it. */
export function textIn(value: unknown, key: string): string | undefined {
  const text = memberOf(value, key);
  return typeof text === 'string' && text !== '' ? text : undefined;
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
