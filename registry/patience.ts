import type { Backoff } from '@gatehouse/lib/retry.ts';

/** How long registries may take, in milliseconds, and how often they are asked. */
export interface Patience {
  /** From the request until the head of the answer. */
  readonly firstByte: number;
  /** Between two pieces of an answer. */
  readonly stall: number;
  /** Times that one thing is asked for in all. */
  readonly tries: number;
  readonly backoff: Backoff;
  /** Longer is not waited if a registry asks for it; then it is said. */
  readonly longestWait: number;
}

/** A registry that fetches from another one first takes seconds; limits of rates are counted by minutes. */
export const defaultPatience: Patience = {
  firstByte: 30_000,
  stall: 30_000,
  tries: 4,
  backoff: { first: 500, most: 10_000 },
  longestWait: 60_000,
};
