import type { Entries, NewEntries } from './entries.ts';

/** What a store held when it was read or written. */
export interface Stored {
  readonly entries: Entries;
  /** The store's own mark of this state. */
  readonly version: string;
  /** An operator's wish for renewal: any text that differs from the last one; undefined if there is none. */
  readonly renewal: string | undefined;
}

/** Keeps the material of one server. */
export interface MaterialStore {
  /** For messages, such as `Secret gatehouse-system/webhook-tls`. */
  readonly title: string;
  /** Undefined if there is nothing yet. */
  read(): Promise<Stored | undefined>;
  /**
   * Writes over what `previous` was, creates it if that is undefined, and gives what is stored then.
   * Throws CertsError `api_conflict` if `previous` is no longer what is stored.
   */
  write(entries: NewEntries, previous: Stored | undefined): Promise<Stored>;
}
