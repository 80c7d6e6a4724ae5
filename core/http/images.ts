import { VerdictSchema } from '@gatehouse/policies';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { App } from '../app/app.ts';
import { imageByName, images } from '../app/image-queries.ts';

const Digest = Type.String({
  pattern: '^sha256:[0-9a-f]{64}$',
  description: "The digest of the image's configuration",
});
const MAX_PAGE = 500;

const Image = Type.Object({
  digest: Digest,
  platform: Type.String(),
  aliases: Type.Array(Type.String()),
  state: Type.Enum(['waiting', 'ready', 'partial', 'failed']),
  reason: Type.Union([Type.String(), Type.Null()], { description: 'Why it is partial or failed' }),
  source: Type.Union([Type.Enum(['layers', 'upload']), Type.Null()], {
    description: 'Whose word its packages are: what nodes read of its layers, or an uploaded SBOM',
  }),
  verdict: Type.Union([VerdictSchema, Type.Null()]),
});

const Finding = Type.Object({
  id: Type.String(),
  aliases: Type.Array(Type.String()),
  purl: Type.String(),
  severity: Type.String(),
  cvss: Type.Union([Type.Number(), Type.Null()]),
  fixedIn: Type.Union([Type.String(), Type.Null()]),
  knownExploited: Type.Boolean(),
  summary: Type.String(),
  layer: Type.String({ description: 'The diff id of the layer that brought the package' }),
  locations: Type.Array(Type.String()),
  loaded: Type.Boolean({
    description: 'A container was seen to run a file of the package; false says nothing',
  }),
});

const ImageWithFindings = Type.Object({
  ...Image.properties,
  packages: Type.Integer(),
  findings: Type.Array(Finding),
});

const Page = Type.Object({
  after: Type.String({ default: '', description: 'The digest of the last image of the page before' }),
  limit: Type.Integer({ minimum: 1, maximum: MAX_PAGE, default: 100 }),
});

/** /images */
export function imageRoutes(app: App) {
  return async (server: FastifyInstance): Promise<void> => {
    server.get<{ Querystring: Static<typeof Page> }>(
      '/images',
      {
        schema: {
          summary: 'The images of all nodes with their verdicts, by digest',
          querystring: Page,
          response: { 200: Type.Object({ images: Type.Array(Image) }) },
        },
      },
      async (request) => ({ images: await images(app, request.query) }),
    );
    server.get<{ Querystring: { name: string } }>(
      '/image',
      {
        schema: {
          summary: 'One image by any of its names, with all its findings from the worst on',
          querystring: Type.Object({
            name: Type.String({ description: 'A digest, repository:tag or repository@digest' }),
          }),
          response: { 200: ImageWithFindings },
        },
      },
      async (request) => imageByName(app, request.query.name),
    );
  };
}
