import { createHash, timingSafeEqual } from 'node:crypto';
import type { Caller } from '../app/app.ts';
import type { TokenAuthority } from './authenticator.ts';

/** Tokens that the process itself has made up, for agent and webhook in the same process. */
export function fixedTokens(callers: ReadonlyMap<string, Caller>): TokenAuthority {
  const known = [...callers].map(([token, caller]) => ({ hash: hash(token), caller }));
  return {
    async callerOf(token) {
      const presented = hash(token);
      return known.find((each) => timingSafeEqual(each.hash, presented))?.caller;
    },
  };
}

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
