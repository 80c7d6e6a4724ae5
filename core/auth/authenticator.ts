import type { Caller } from '../app/app.ts';
import { CoreError } from '../errors.ts';

/** Tells who a bearer token belongs to; undefined if the token is none of its kind. */
export interface TokenAuthority {
  callerOf(token: string): Promise<Caller | undefined>;
}

/** A JSON Web Token of Kubernetes has some 1,200 characters. */
const MAX_TOKEN_LENGTH = 16_384;

/**
 * Who calls, by the value of an Authorization header. Throws CoreError `unauthenticated`, which says the same
 * whatever was wrong with the token: the log says more.
 */
export async function authenticate(
  authorities: readonly TokenAuthority[],
  header: string | undefined,
): Promise<Caller> {
  const token = /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
  if (token === undefined || token.length > MAX_TOKEN_LENGTH) {
    throw new CoreError('unauthenticated', 'the request bears no token', {
      hint: 'Send the header "Authorization: Bearer TOKEN".',
    });
  }
  for (const authority of authorities) {
    const caller = await authority.callerOf(token);
    if (caller) return caller;
  }
  throw new CoreError('unauthenticated', 'the token is not one of a known issuer');
}
