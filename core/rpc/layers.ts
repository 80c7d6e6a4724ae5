import type { Layers, UploadLayerRequest } from '@gatehouse/proto/gen/gatehouse/v1/layers_pb.ts';
import type { ServiceHandlers } from '@gatehouse/proto/grpc.ts';
import type { App, Caller } from '../app/app.ts';
import { storeRoot } from '../app/container-roots.ts';
import { holdLayers, layerUnreadable, missingLayers, storeLayer } from '../app/layers.ts';
import { CoreError } from '../errors.ts';
import { mustBe } from './access.ts';

/** A layer of 500,000 paths encodes to some 10 MB; what is larger was not made by a cataloger. */
const MAX_CONTENT_BYTES = 64 * 1024 * 1024;

/** The calls of agents on layers. */
export function layersService(app: App): ServiceHandlers<typeof Layers, Caller> {
  return {
    async missingLayers({ image, catalogerVersion }, { caller }) {
      const agent = mustBe(caller, 'agent');
      if (!image) throw new CoreError('invalid_request', 'image is missing');
      const { diffIds, leased, ...rest } = await missingLayers(app, agent, image, catalogerVersion);
      return { diffIds: [...diffIds], leased: [...leased], ...rest };
    },
    async uploadLayer(requests, { caller }) {
      const agent = mustBe(caller, 'agent');
      const upload = await receive(requests);
      await (upload.image === '' ? storeLayer : storeRoot)(app, agent, upload);
      return {};
    },
    async reportUnreadableLayer(report, { caller }) {
      await layerUnreadable(app, mustBe(caller, 'agent'), report);
      return {};
    },
    async holdLayers(request, { caller }) {
      await holdLayers(app, mustBe(caller, 'agent'), request);
      return {};
    },
  };
}

async function receive(requests: AsyncIterable<UploadLayerRequest>) {
  let header: Extract<UploadLayerRequest['part'], { case: 'header' }>['value'] | undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const { part } of requests) {
    if (part.case === 'header') {
      header ??= part.value;
      if (header.contentSize > MAX_CONTENT_BYTES) {
        throw new CoreError(
          'invalid_request',
          `the content has ${header.contentSize} bytes; the most is ${MAX_CONTENT_BYTES}`,
        );
      }
    } else if (part.case === 'content') {
      size += part.value.length;
      if (!header || size > header.contentSize)
        throw new CoreError('layer_broken', 'more content came than was announced');
      chunks.push(part.value);
    }
  }
  if (!header) throw new CoreError('layer_broken', 'the upload has no header');
  if (BigInt(size) !== header.contentSize) {
    throw new CoreError(
      'layer_broken',
      `${size} of ${header.contentSize} bytes of layer ${header.diffId} came`,
    );
  }
  return { ...header, content: Buffer.concat(chunks) };
}
