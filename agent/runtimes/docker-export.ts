import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openSource } from '@gatehouse/sbom';
import type Dockerode from 'dockerode';
import { AgentError } from '../errors.ts';

/** As large as any image that is in use; and a disk that others write to, too, is filled by half of what is free at most. */
const MAX_EXPORT_BYTES = 32 * 1024 ** 3;
const MAX_SHARE_OF_FREE = 0.5;

/** An image as an archive in a temporary folder, made when a layer of it is first read. */
export class ExportedImage implements AsyncDisposable {
  readonly #docker: Pick<Dockerode, 'getImage'>;
  readonly #image: string;
  readonly #most: number;
  readonly #signal: AbortSignal;
  readonly #stack = new AsyncDisposableStack();
  #source: ReturnType<typeof openSource> | undefined;

  constructor(
    docker: Pick<Dockerode, 'getImage'>,
    image: string,
    { signal, most = MAX_EXPORT_BYTES }: { readonly signal: AbortSignal; readonly most?: number },
  ) {
    this.#docker = docker;
    this.#image = image;
    this.#signal = signal;
    this.#most = most;
  }

  layer(index: number): Readable {
    return Readable.from(this.#read(index), { objectMode: false });
  }

  async *#read(index: number): AsyncGenerator<Buffer, void, undefined> {
    this.#source ??= this.#export();
    const layer = (await this.#source).layers[index];
    if (!layer)
      throw new AgentError('layer_unreadable', `the archive of ${this.#image} has no layer ${index}`);
    yield* layer.open() as AsyncIterable<Buffer>;
  }

  async #export(): ReturnType<typeof openSource> {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-image-'));
    this.#stack.defer(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'image.tar');
    const { bavail, bsize } = await statfs(folder);
    const most = Math.min(this.#most, bavail * bsize * MAX_SHARE_OF_FREE);
    const archive = await this.#docker.getImage(this.#image).get();
    const to = createWriteStream(file, { mode: 0o600 });
    await pipeline(archive as Readable, (chunks) => this.#bounded(chunks, most), to, {
      signal: this.#signal,
    });
    return this.#stack.use(await openSource(`docker-archive:${file}`));
  }

  async *#bounded(chunks: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer, void, undefined> {
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > most)
        throw new AgentError('layer_unreadable', `the archive of ${this.#image} has more than ${most} bytes`);
      yield chunk;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source?.catch(() => undefined);
    await this.#stack.disposeAsync();
  }
}
