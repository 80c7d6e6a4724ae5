import type { AddressInfo } from 'node:net';
import type { Log } from '@gatehouse/lib/log.ts';
import type { Address } from '@gatehouse/lib/options.ts';
import {
  type AdmissionRequest,
  type Decision,
  type DecisionFacts,
  decide,
  type Mode,
  modes,
  type Policy,
} from '@gatehouse/policies';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { mutation, refusal, validation } from './answer.ts';
import type { Drain } from './drain.ts';
import type { WebhookMetrics } from './metrics.ts';
import { formatReview, parseReview, type ReviewResponse } from './review.ts';

/**
 * etcd takes requests of 1.5 MiB by default and the API server bodies of 3 MiB: a review holds the old and the new
 * object at most that large, and 1 MiB for all else.
 */
export const MAX_REVIEW_BYTES = 7 * 1024 * 1024;
/**
 * The API server keeps idle connections for 90 s (net/http DefaultTransport). Closing them earlier would now and then
 * meet a review that is just being sent, which is not sent again.
 */
const KEEP_ALIVE_MS = 120_000;
/** Longer than the 30 s that a webhook may be given at most. */
const REQUEST_TIMEOUT_MS = 35_000;

/** The HTTP status of a body beyond the limit. */
const TOO_LARGE = 413;

/** What the server answers from. */
export interface ReviewContext {
  readonly policy: Policy;
  readonly facts: (request: AdmissionRequest) => Promise<Omit<DecisionFacts, 'request' | 'now' | 'mode'>>;
  readonly metrics: WebhookMetrics;
  readonly drain: Drain;
  readonly log: Log;
}

/** How each path answers. */
const answers = { '/validate': validation, '/mutate': mutation } as const;

const WHAT_THERE_IS = `reviews are taken by POST at ${Object.keys(answers).join(' and ')}, and below them at ${modes
  .map((mode) => `/${mode}`)
  .join(', ')}`;

/** The HTTPS server of the webhook, not listening yet. */
export function createReviewServer(
  tls: { key: string; cert: string },
  context: ReviewContext,
): FastifyInstance {
  const server = fastify({
    https: { ...tls, minVersion: 'TLSv1.2' },
    bodyLimit: MAX_REVIEW_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    return503OnClosing: false,
    logger: false,
  }) as unknown as FastifyInstance;
  // Reviews are parsed by their own rules, whatever content type they claim.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  server.addHook('onRequest', async (request, reply) => {
    // Nor is one asked for: without it, or with one that is none, fastify answers 415 by itself.
    request.raw.headers['content-type'] = 'application/json';
    if (context.drain.isDraining) reply.header('connection', 'close');
  });
  for (const path of Object.keys(answers) as (keyof typeof answers)[]) {
    // The path may name the mode that the API server's own namespace selector stands for.
    server.post<{ Params: { mode?: string } }>(`${path}/:mode?`, (request, reply) => {
      const mode = modes.find((each) => each === request.params.mode);
      if (request.params.mode !== undefined && mode === undefined) return reply.callNotFound();
      return review(context, { path, mode }, request, reply);
    });
  }
  server.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type('text/plain; charset=utf-8')
      .send(`there is nothing at ${request.method} ${request.url}; ${WHAT_THERE_IS}\n`),
  );
  server.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const code = error.statusCode ?? 500;
    if (code >= 500) context.log.error({ err: error }, 'review failed');
    if (code === TOO_LARGE) {
      // Closed with the rest of the body unread, the connection would be reset, and the answer with it.
      request.raw.resume();
      reply.removeHeader('connection');
    }
    return send(reply, code, refusal('', code, error.message));
  });
  return server;
}

async function review(
  context: ReviewContext,
  { path, mode }: { path: keyof typeof answers; mode: Mode | undefined },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const stop = context.metrics.duration.startTimer({ path });
  const parsed = parseReview(Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0));
  if ('problem' in parsed) {
    context.log.warn({ err: parsed.problem, path }, 'review refused');
    context.metrics.reviews.inc({ path, mode: mode ?? 'none', outcome: 'refused' });
    return send(reply, 400, refusal(parsed.uid, 400, parsed.problem.message));
  }
  const decision = await decideReview(context, parsed.request, mode);
  context.metrics.reviews.inc({ path, mode: decision.mode, outcome: decision.outcome });
  const answer = send(reply, 200, answers[path](parsed.request.uid, decision));
  stop();
  return answer;
}

async function decideReview(
  context: ReviewContext,
  request: AdmissionRequest,
  mode: Mode | undefined,
): Promise<Decision> {
  const facts = await context.facts(request);
  const decision = decide(context.policy, { ...facts, ...(mode && { mode }), request, now: new Date() });
  if (decision.reasons.length > 0) {
    context.log.info(
      {
        outcome: decision.outcome,
        namespace: request.namespace,
        kind: request.kind.kind,
        name: request.name || undefined,
        user: request.userInfo?.username,
        reasons: decision.reasons,
        dryRun: request.dryRun,
      },
      'found bad',
    );
  }
  return decision;
}

function send(reply: FastifyReply, code: number, response: ReviewResponse): FastifyReply {
  return reply.code(code).header('content-type', 'application/json').send(formatReview(response));
}

/** Listens; gives the port. */
export async function listen(server: FastifyInstance, address: Address): Promise<number> {
  await server.listen({ host: address.host, port: address.port });
  return (server.server.address() as AddressInfo).port;
}
