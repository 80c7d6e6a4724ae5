import { CertsError, type certsErrorCodes } from './errors.ts';

type ApiErrorCode = Extract<keyof typeof certsErrorCodes, `api_${string}`>;

/** Statuses that are not what their class says. 410 is a version too old to be watched from: reading again heals it. */
const codesOfStatus: Readonly<Record<number, ApiErrorCode>> = {
  401: 'api_denied',
  403: 'api_denied',
  409: 'api_conflict',
  410: 'api_unavailable',
  429: 'api_unavailable',
};

const hintsOfCode: Readonly<Partial<Record<ApiErrorCode, string>>> = {
  api_denied: 'Compare the roles of the service account with what the issuer of certificates needs.',
};

/**
 * Whatever a request to the API server threw, or the Status object in which a watch says its error.
 * `attempt` is what failed, as in `patch Lease gatehouse-system/webhook-tls`.
 */
export function apiError(attempt: string, thrown: unknown): CertsError {
  const status = statusOf(thrown);
  if (status === undefined) return new CertsError('api_unavailable', `cannot ${attempt}`, { cause: thrown });
  const code = codesOfStatus[status] ?? (status < 500 ? 'api_rejected' : 'api_unavailable');
  const hint = hintsOfCode[code];
  // Not the client's own message: it repeats the whole response with its headers.
  return new CertsError(code, `cannot ${attempt}: ${status} ${messageOf(thrown)}`, hint ? { hint } : {});
}

/** The HTTP status, from a rejected request (`code`), a refused watch (`statusCode`) or a Status object (`code`). */
export function statusOf(thrown: unknown): number | undefined {
  const { code, statusCode } = fields(thrown);
  return [code, statusCode].find((each) => typeof each === 'number');
}

/** The API server's words, from the body of a rejected request or a Status object. */
function messageOf(thrown: unknown): string {
  const { body, message } = fields(thrown);
  const said = typeof body === 'string' ? fields(parseJson(body)).message : message;
  return typeof said === 'string' ? said : '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
