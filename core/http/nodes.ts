import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { App } from '../app/app.ts';
import { nodes } from '../app/nodes.ts';

const Node = Type.Object({
  cluster: Type.String(),
  name: Type.String(),
  runtime: Type.String(),
  reportedAt: Type.String({ format: 'date-time' }),
  containers: Type.Integer({ description: 'Running containers' }),
});

/** /nodes */
export function nodeRoutes(app: App) {
  return async (server: FastifyInstance): Promise<void> => {
    server.get(
      '/nodes',
      {
        schema: {
          summary: 'The nodes that agents report on',
          response: { 200: Type.Object({ nodes: Type.Array(Node) }) },
        },
      },
      async () => ({
        nodes: (await nodes(app)).map((node) => ({ ...node, reportedAt: node.reportedAt.toISOString() })),
      }),
    );
  };
}
