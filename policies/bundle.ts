import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { PolicyError } from './errors.ts';

/** An OPA bundle: the compiled program and the data it reads. */
export interface Bundle {
  readonly program: Uint8Array;
  readonly data: object;
}

/** The path of the bundle that serves where none is chosen; policies/default is its source. */
export const defaultBundle = new URL('default.tar.gz', import.meta.url).pathname;

/** What a policy is asked for; `opa build -e` compiles it as an entrypoint. */
export const ENTRYPOINT = 'gatehouse/admission/decision';
/** A program of 20 policies takes about 1 MB; data may be lists of thousands. A larger bundle is a mistake or an attack. */
const MAX_BUNDLE_BYTES = 64 * 1024 * 1024;

/** Reads a bundle.tar.gz. Throws PolicyError `bundle_unreadable` or `bundle_invalid`. */
export async function readBundle(path: string): Promise<Bundle> {
  const files = await untar(path);
  const program = files.get('policy.wasm');
  if (!program) {
    throw new PolicyError('bundle_invalid', `${path} has no policy.wasm`, {
      hint: `Build it with: opa build -t wasm -e ${ENTRYPOINT} FOLDER`,
    });
  }
  return { program, data: parseData(files.get('data.json'), path) };
}

function parseData(bytes: Buffer | undefined, path: string): object {
  try {
    const data: unknown = bytes ? JSON.parse(bytes.toString('utf8')) : {};
    if (typeof data === 'object' && data !== null) return data;
  } catch (cause) {
    throw new PolicyError('bundle_invalid', `data.json of ${path} is not JSON`, { cause });
  }
  throw new PolicyError('bundle_invalid', `data.json of ${path} is not an object`);
}

async function untar(path: string): Promise<Map<string, Buffer>> {
  try {
    const archive = gunzipSync(await readFile(path), { maxOutputLength: MAX_BUNDLE_BYTES });
    const files = new Map<string, Buffer>();
    const entries = extract();
    entries.end(archive);
    for await (const entry of entries) {
      const chunks = await Array.fromAsync(entry as AsyncIterable<Buffer>);
      if (entry.header.type === 'file')
        files.set(entry.header.name.replace(/^\.?\//, ''), Buffer.concat(chunks));
    }
    return files;
  } catch (cause) {
    throw new PolicyError('bundle_unreadable', `cannot read the policy bundle ${path}`, {
      cause,
      hint: 'A bundle is the bundle.tar.gz that opa build writes.',
    });
  }
}
