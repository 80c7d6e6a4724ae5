import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openSource } from '@gatehouse/sbom';
import type Dockerode from 'dockerode';
import { AgentError } from '../errors.ts';

/** An image as an archive in a temporary folder, made when a layer of it is first read. */
export class ExportedImage implements AsyncDisposable {
  readonly #docker: Dockerode;
  readonly #image: string;
  readonly #stack = new AsyncDisposableStack();
  #source: ReturnType<typeof openSource> | undefined;

  constructor(docker: Dockerode, image: string) {
    this.#docker = docker;
    this.#image = image;
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
    await pipeline(await this.#docker.getImage(this.#image).get(), createWriteStream(file, { mode: 0o600 }));
    return this.#stack.use(await openSource(`docker-archive:${file}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source?.catch(() => undefined);
    await this.#stack.disposeAsync();
  }
}
