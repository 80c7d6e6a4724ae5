import type { Log } from '@gatehouse/lib/log.ts';
import type { Database } from '../datastore/database.ts';
import type { VerdictBell } from '../datastore/verdict-bell.ts';
import type { Jobs } from '../jobs/queue.ts';

/** What the rules of the core work with. */
export interface App {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly bell: VerdictBell;
  readonly log: Log;
}

/** Who calls. A node is an agent that may speak for that node alone. */
export type Caller =
  | { readonly role: 'agent'; readonly cluster: string; readonly node: string }
  | { readonly role: 'webhook'; readonly cluster: string }
  | { readonly role: 'admin'; readonly name: string }
  /** May upload SBOMs, and nothing else. */
  | { readonly role: 'uploader'; readonly name: string };
export type Role = Caller['role'];
