import { MAX_DOCUMENT_BYTES } from '@gatehouse/sbom';
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { App } from '../app/app.ts';
import { exportFormats, exportSbom } from '../app/export-sbom.ts';
import { uploadSbom } from '../app/uploaded-sboms.ts';
import { CoreError } from '../errors.ts';

const mediaTypes = {
  cyclonedx: 'application/vnd.cyclonedx+json',
  spdx: 'application/spdx+json',
} as const;
/** Whatever a document is sent as, it says itself what it is. */
const accepted = ['application/json', ...Object.values(mediaTypes)];

/** A document of 16 MiB takes up to 90 MiB while it is read, beside itself; a core in a cluster has 1 GiB. */
const MAX_UPLOADS_AT_ONCE = 2;
/** The answer names so many of what was left out; the number says how many there are. */
const MAX_LEFT_OUT = 50;

const Params = Type.Object({
  digest: Type.String({
    pattern: '^sha256:[0-9a-f]{64}$',
    description: "The digest of the image's configuration, or of its manifest",
  }),
});

const Upload = Type.Object({
  image: Type.String({
    description: 'The image that it counts for, by the digest of its configuration if that is known',
  }),
  format: Type.Enum(['cyclonedx', 'spdx']),
  specVersion: Type.String(),
  packages: Type.Integer(),
  leftOut: Type.Integer({
    description: 'Components that may be packages but cannot be told, or not be judged',
  }),
  leftOutExamples: Type.Array(Type.String(), { description: 'The first of them, with the reason' }),
  changed: Type.Boolean({ description: 'False if it was there already' }),
});

const Export = Type.Object({
  format: Type.Enum([...exportFormats], {
    default: 'cyclonedx',
    description: 'What the image holds as CycloneDX or SPDX; original: what was uploaded, as it came',
  }),
});

/** /images/{digest}/sbom */
export function sbomRoutes(app: App) {
  return async (server: FastifyInstance): Promise<void> => {
    server.removeContentTypeParser('application/json');
    server.addContentTypeParser(accepted, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    let running = 0;
    server.put<{ Params: Static<typeof Params>; Body: Buffer }>(
      '/images/:digest/sbom',
      {
        bodyLimit: MAX_DOCUMENT_BYTES,
        config: { role: 'uploader' },
        schema: {
          summary: 'Upload an SBOM that was made elsewhere; it counts while no node has read the image',
          description:
            'CycloneDX 1.2 to 1.7, or SPDX 2.2 or 2.3, in JSON. Wants the right to upload, not to read.',
          params: Params,
          body: { content: Object.fromEntries(accepted.map((type) => [type, { schema: Type.Unknown() }])) },
          response: { 200: Upload },
        },
        onRequest: async (_request, reply) => {
          if (running >= MAX_UPLOADS_AT_ONCE) {
            throw new CoreError('busy', `${running} SBOMs are being read now`, {
              hint: 'Try again in some seconds.',
            });
          }
          running++;
          reply.raw.once('close', () => running--);
        },
      },
      async ({ params, body, caller }) => {
        const { leftOut, ...upload } = await uploadSbom(app, caller, {
          image: params.digest,
          document: body,
        });
        return { ...upload, leftOut: leftOut.length, leftOutExamples: leftOut.slice(0, MAX_LEFT_OUT) };
      },
    );
    server.get<{ Params: Static<typeof Params>; Querystring: Static<typeof Export> }>(
      '/images/:digest/sbom',
      { schema: { summary: 'What an image holds, as an SBOM', params: Params, querystring: Export } },
      async ({ params, query }, reply) => {
        const { format, text } = await exportSbom(app, params.digest, query.format);
        return reply.header('content-type', mediaTypes[format]).send(text);
      },
    );
  };
}
