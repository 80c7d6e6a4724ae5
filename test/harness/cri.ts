import { ImageService } from '@gatehouse/proto/gen/runtime/v1/runtime_pb.ts';
import { clientOf } from '@gatehouse/proto/grpc.ts';
import { Client, credentials } from '@grpc/grpc-js';

/** An answer that takes longer than this is asked for again. */
const CALL_TIMEOUT_MS = 5_000;

/** The names, by tag and by digest, of the images that the runtime offers the kubelet. */
export async function namesOfImages(socket: string): Promise<ReadonlySet<string>> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  try {
    const { images } = await clientOf(ImageService, client).listImages({}, { timeout: CALL_TIMEOUT_MS });
    return new Set(images.flatMap(({ repoTags, repoDigests }) => [...repoTags, ...repoDigests]));
  } finally {
    client.close();
  }
}
