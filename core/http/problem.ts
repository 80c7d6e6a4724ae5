import { explain } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import type { FastifyError, FastifyInstance } from 'fastify';
import { CoreError, type CoreErrorCode } from '../errors.ts';

const statuses: Readonly<Record<CoreErrorCode, number>> = {
  invalid_request: 400,
  not_found: 404,
  unauthenticated: 401,
  forbidden: 403,
  layer_broken: 400,
  upload_not_kept: 409,
  layer_not_expected: 409,
  too_many_unproven: 409,
  sbom_invalid: 400,
  sbom_of_another_image: 409,
  busy: 503,
  feeds_unreadable: 502,
  store_unavailable: 503,
  schema_too_new: 500,
  schema_too_old: 500,
  schema_differs: 500,
};

/** Errors go out as RFC 9457 problem documents; of what is not ours only that it happened. */
export function sendProblems(server: FastifyInstance, log: Log): void {
  server.setErrorHandler((error: FastifyError, _request, reply) => {
    const [status, code, detail] =
      error instanceof CoreError
        ? [statuses[error.code], error.code, explain(error)]
        : error.statusCode !== undefined && error.statusCode < 500
          ? [error.statusCode, 'invalid_request', error.message]
          : [500, 'internal', 'the core cannot do this now; its log says why'];
    if (status >= 500) log.error({ err: error }, 'request failed');
    return reply
      .code(status)
      .header('content-type', 'application/problem+json')
      .send({ type: `https://gatehouse.dev/errors/${code}`, title: code, status, detail });
  });
  server.setNotFoundHandler((request) => {
    throw new CoreError('not_found', `there is nothing at ${request.method} ${request.url}`, {
      hint: 'See /api/v1/openapi.json for all there is.',
    });
  });
}
