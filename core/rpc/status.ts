import { explain } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import { type StatusObject, status } from '@grpc/grpc-js';
import { CoreError, type CoreErrorCode } from '../errors.ts';

const statuses: Readonly<Record<CoreErrorCode, status>> = {
  invalid_request: status.INVALID_ARGUMENT,
  not_found: status.NOT_FOUND,
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  layer_broken: status.INVALID_ARGUMENT,
  // The caller asks anew what is kept.
  upload_not_kept: status.UNAVAILABLE,
  layer_not_expected: status.FAILED_PRECONDITION,
  too_many_unproven: status.FAILED_PRECONDITION,
  sbom_invalid: status.INVALID_ARGUMENT,
  sbom_of_another_image: status.FAILED_PRECONDITION,
  busy: status.RESOURCE_EXHAUSTED,
  feeds_unreadable: status.INTERNAL,
  store_unavailable: status.UNAVAILABLE,
  schema_too_new: status.FAILED_PRECONDITION,
  schema_too_old: status.FAILED_PRECONDITION,
  schema_differs: status.FAILED_PRECONDITION,
};

/** What a caller is told: the whole of an error that is ours, and of any other only that it happened. */
export function toStatus(error: unknown, log: Log): Partial<StatusObject> {
  if (error instanceof CoreError) return { code: statuses[error.code], details: explain(error) };
  // Who called is gone, or was too slow.
  if (error instanceof Error && error.name === 'AbortError')
    return { code: status.CANCELLED, details: 'too slow' };
  log.error({ err: error }, 'call failed');
  const code = isOfTheWay(error) ? status.UNAVAILABLE : status.INTERNAL;
  return { code, details: 'the core cannot do this now; its log says why' };
}

/**
 * Classes of SQLSTATE (PostgreSQL, appendix A) that say nothing of the request: the connection, who may connect, a
 * transaction that others were in the way of, what has run out, what somebody or the system has ended.
 */
const PASSING_CLASSES = new Set(['08', '25', '28', '3D', '40', '53', '55', '57', '58']);
/** What the network says, as libuv names it. */
const SYSTEM_CODE = /^E[A-Z_]+$/;
/** How pg and its pool say, by words alone, that a connection was lost or not to be had. */
const LOST_CONNECTION = /connection|timeout|client (has encountered|was closed)|pool after calling end/i;

/** Whether the store is away for a moment, so that the same call may do later; else it would fail again. */
function isOfTheWay(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') return LOST_CONNECTION.test(error.message);
  return SYSTEM_CODE.test(code) || PASSING_CLASSES.has(code.slice(0, 2));
}
