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
  log.error({ err: error }, 'call failed');
  // Most of these are a database that is away for a moment, so the caller may try again.
  return { code: status.UNAVAILABLE, details: 'the core cannot do this now; its log says why' };
}
