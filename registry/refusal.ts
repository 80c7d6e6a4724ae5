import type { IncomingMessage } from 'node:http';
import { readText } from './answer-body.ts';
import { RegistryError } from './errors.ts';

/** Refusals have a sentence or two. */
const MAX_REFUSAL_BYTES = 64 * 1024;
const MAX_SAID = 200;

/** What a registry says instead of giving what it was asked for. */
export async function refusal(
  response: IncomingMessage,
  { host, path, stall }: { readonly host: string; readonly path: string; readonly stall: number },
): Promise<RegistryError> {
  const status = response.statusCode ?? 0;
  const retryAfter = secondsOf(response.headers['retry-after']);
  const said = await readText(response, host, { most: MAX_REFUSAL_BYTES, stall }).then(whatIsSaid, () => '');
  const message = `${host} answers ${status} for ${path}${said === '' ? '' : `: ${said}`}`;
  if (status === 401 || status === 403) {
    return new RegistryError('registry_denied', message, {
      hint: 'Give credentials that may read the repository; some registries say this of what they do not have, too.',
    });
  }
  if (status === 404) {
    const isName = path.includes('/manifests/');
    return new RegistryError('registry_absent', message, {
      ...(isName && { hint: 'Check the name of the repository, and the tag or the digest.' }),
    });
  }
  if (status === 429 || status >= 500)
    return new RegistryError('registry_unavailable', message, { retryAfter });
  return new RegistryError('registry_answer_invalid', message);
}

/** In milliseconds. A date, which is allowed as well, no registry was seen to send. */
function secondsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,9}$/.test(header) ? Number(header) * 1000 : undefined;
}

/** The first error of an answer (distribution-spec, "Error Codes"), as far as it can be shown. */
function whatIsSaid(text: string): string {
  try {
    const { errors } = JSON.parse(text) as { errors?: readonly { code?: unknown; message?: unknown }[] };
    const words = [errors?.[0]?.code, errors?.[0]?.message].filter((word) => typeof word === 'string');
    return words
      .join(' ')
      .replaceAll(/[^\x20-\x7e]+/g, ' ')
      .slice(0, MAX_SAID);
  } catch {
    return '';
  }
}
