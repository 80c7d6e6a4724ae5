import type { LayerHeader, Layers, UploadLayerRequest } from '@gatehouse/proto/gen/gatehouse/v1/layers_pb.ts';
import type { ServiceHandlers } from '@gatehouse/proto/grpc.ts';
import type { App, Caller } from '../app/app.ts';
import { storeRoot } from '../app/container-roots.ts';
import { imageFailed } from '../app/failed-images.ts';
import { bytesKept, forgetKept, keepBroken, resumeUpload } from '../app/kept-uploads.ts';
import { layerUnreadable, storeLayer } from '../app/layers.ts';
import { holdLayers, missingLayers } from '../app/missing-layers.ts';
import { CoreError } from '../errors.ts';
import { mustBe } from './access.ts';
import { Intake } from './intake.ts';

/** A layer of 500,000 paths encodes to some 10 MB; none has more than 64 MiB before compression. */
const MAX_CONTENT_BYTES = 32 * 1024 * 1024;

/** The calls of agents on layers. */
export function layersService(app: App): ServiceHandlers<typeof Layers, Caller> {
  const intake = new Intake();
  return {
    async missingLayers({ image, catalogerVersion }, { caller }) {
      const agent = mustBe(caller, 'agent');
      if (!image) throw new CoreError('invalid_request', 'image is missing');
      const { diffIds, leased, ...rest } = await missingLayers(app, agent, image, catalogerVersion);
      return { diffIds: [...diffIds], leased: [...leased], ...rest };
    },
    async uploadLayer(requests, { caller, signal }) {
      const agent = mustBe(caller, 'agent');
      return intake.during(agent, signal, async () => {
        const upload = await receive(app, agent, requests);
        try {
          await (upload.image === '' ? storeLayer : storeRoot)(app, agent, upload);
        } finally {
          if (upload.offset > 0) await forgetKept(app, agent, upload.contentDigest);
        }
        return {};
      });
    },
    async keptUpload({ contentDigest }, { caller }) {
      return { bytes: BigInt(await bytesKept(app, mustBe(caller, 'agent'), contentDigest)) };
    },
    async reportUnreadableLayer(report, { caller }) {
      await layerUnreadable(app, mustBe(caller, 'agent'), report);
      return {};
    },
    async reportFailedImage(report, { caller }) {
      await imageFailed(app, mustBe(caller, 'agent'), report);
      return {};
    },
    async holdLayers(request, { caller }) {
      await holdLayers(app, mustBe(caller, 'agent'), request);
      return {};
    },
  };
}

/** Takes an upload in. What came of one that breaks off is kept. */
async function receive(
  app: App,
  agent: Extract<Caller, { role: 'agent' }>,
  requests: AsyncIterable<UploadLayerRequest>,
) {
  let header: LayerHeader | undefined;
  // As much as was announced: chunks that are kept as they come take as many objects as somebody likes.
  let room = Buffer.alloc(0);
  let size = 0;
  try {
    for await (const { part } of requests) {
      if (part.case === 'header' && !header) {
        header = checkedHeader(part.value);
        size = Number(header.offset);
        room = Buffer.allocUnsafeSlow(Number(header.contentSize) - size);
      } else if (part.case === 'content') {
        const at = size - Number(header?.offset ?? 0);
        size += part.value.length;
        if (!header || size > header.contentSize)
          throw new CoreError('layer_broken', 'more content came than was announced');
        room.set(part.value, at);
      }
    }
    if (!header) throw new CoreError('layer_broken', 'the upload has no header');
    if (BigInt(size) < header.contentSize) {
      throw new CoreError(
        'layer_broken',
        `${size} of ${header.contentSize} bytes of layer ${header.diffId} came`,
      );
    }
  } catch (error) {
    if (header && size <= header.contentSize) {
      const came = room.subarray(0, size - Number(header.offset));
      await keepBroken(app, agent, header.contentDigest, await whole(app, agent, header, came));
    }
    throw error;
  }
  return { ...header, content: await whole(app, agent, header, room) };
}

/** What came, behind what is kept. Read last: what is not taken in while one waits is lost if the connection breaks then. */
async function whole(
  app: App,
  agent: Extract<Caller, { role: 'agent' }>,
  { contentDigest, offset }: LayerHeader,
  came: Buffer,
): Promise<Buffer> {
  if (offset === 0n) return came;
  return Buffer.concat([await resumeUpload(app, agent, contentDigest, Number(offset)), came]);
}

function checkedHeader(header: LayerHeader): LayerHeader {
  if (header.contentSize <= MAX_CONTENT_BYTES && header.offset <= header.contentSize) return header;
  const { offset, contentSize } = header;
  throw new CoreError(
    'invalid_request',
    `the content has ${contentSize} bytes, from ${offset} on; the most is ${MAX_CONTENT_BYTES}`,
  );
}
