import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { App } from '../app/app.ts';
import { feeds, refreshFeeds } from '../app/feeds.ts';

const Feed = Type.Object({
  name: Type.String(),
  asOf: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
  records: Type.Integer(),
  skipped: Type.Integer({ description: 'Records that could not be read' }),
  importedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'Null if it could never be read so far',
  }),
  checkedAt: Type.String({ format: 'date-time' }),
  problem: Type.Union([Type.String(), Type.Null()], { description: 'Why the last check brought nothing' }),
});

/** /feeds */
export function feedRoutes(app: App) {
  return async (server: FastifyInstance): Promise<void> => {
    server.get(
      '/feeds',
      {
        schema: {
          summary: 'The feeds and how old they are',
          response: { 200: Type.Object({ feeds: Type.Array(Feed) }) },
        },
      },
      async () => ({ feeds: (await feeds(app)).map(toFeed) }),
    );
    server.post(
      '/feeds/refresh',
      {
        schema: {
          summary: 'Import now what has changed in the feeds; it goes on after the answer',
          response: { 202: Type.Object({}) },
        },
      },
      async (_request, reply) => {
        await refreshFeeds(app);
        return reply.code(202).send({});
      },
    );
  };
}

function toFeed({
  name,
  asOf,
  records,
  skipped,
  importedAt,
  checkedAt,
  problem,
}: Awaited<ReturnType<typeof feeds>>[number]) {
  return {
    name,
    asOf: asOf?.toISOString() ?? null,
    records,
    skipped,
    importedAt: importedAt?.toISOString() ?? null,
    checkedAt: checkedAt.toISOString(),
    problem,
  };
}
