import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { App } from '../app/app.ts';
import { drift } from '../app/runtime-facts.ts';

const MAX_PAGE = 500;

const DriftedFile = Type.Object({
  id: Type.Integer(),
  cluster: Type.String(),
  node: Type.String(),
  namespace: Type.String(),
  pod: Type.String(),
  container: Type.String({ description: 'Its id in the runtime' }),
  name: Type.String({ description: 'The name of the container' }),
  image: Type.String(),
  path: Type.String(),
  kind: Type.Enum(['written', 'mounted', 'memory', 'deleted'], {
    description:
      'Written into the container after it began, from a volume or the like, never a file, or no longer one',
  }),
  seenAt: Type.String({ format: 'date-time', description: 'When the core first heard of it' }),
});

const Page = Type.Object({
  after: Type.Integer({ minimum: 0, default: 0, description: 'The id of the last one of the page before' }),
  limit: Type.Integer({ minimum: 1, maximum: MAX_PAGE, default: 100 }),
});

/** /drift */
export function driftRoutes(app: App) {
  return async (server: FastifyInstance): Promise<void> => {
    server.get<{ Querystring: Static<typeof Page> }>(
      '/drift',
      {
        schema: {
          summary:
            'Programs that containers run and that are not of their images, in the order in which they were seen',
          querystring: Page,
          response: { 200: Type.Object({ drift: Type.Array(DriftedFile) }) },
        },
      },
      async (request) => ({
        drift: (await drift(app, request.query)).map((row) => ({ ...row, seenAt: row.seenAt.toISOString() })),
      }),
    );
  };
}
