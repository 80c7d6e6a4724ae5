import { createReadStream } from 'node:fs';
import { appendFile, mkdir, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { VerdictChange, VerdictPosition } from '@gatehouse/core-client';
import type { Log } from '@gatehouse/lib/log.ts';
import type { KnownImage } from '@gatehouse/policies';
import { WebhookError } from './errors.ts';

/** The journal is written anew once it holds this many lines more than twice what is alive. */
const COMPACTION_SLACK_LINES = 10_000;
/** How many images a rewritten journal takes into memory as text at a time. */
const LINES_PER_WRITE = 1_000;

type JournalLine =
  | { readonly image: string; readonly aliases: readonly string[]; readonly verdict: unknown }
  | { readonly gone: string }
  | { readonly position: VerdictPosition };

/**
 * Verdicts kept through a restart: a journal with a line a change and a line after each batch that says how far it
 * goes. What stands after the last such line may be cut short and is not counted on. Writing never holds decisions up:
 * it happens behind them, and if the disk fails the webhook goes on without it.
 */
export class VerdictDisk {
  readonly #path: string;
  readonly #log: Log;
  #lines = 0;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;

  private constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Opens the journal in a folder, made if need be. Throws WebhookError `cache_unusable`. */
  static async open(folder: string, log: Log): Promise<VerdictDisk> {
    const path = join(folder, 'verdicts.journal');
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await (await open(path, 'a', 0o600)).close();
    } catch (cause) {
      throw new WebhookError('cache_unusable', `cannot keep verdicts in ${folder}`, { cause });
    }
    return new VerdictDisk(path, log);
  }

  /** Replays the journal up to the last position in it; gives that position and when it was written, if there is one. */
  async load(
    apply: (changes: readonly VerdictChange[]) => void,
  ): Promise<{ position: VerdictPosition; writtenAt: number; torn: boolean } | undefined> {
    let position: VerdictPosition | undefined;
    let torn = false;
    let batch: VerdictChange[] = [];
    for await (const text of createInterface({ input: createReadStream(this.#path) })) {
      const line = parseLine(text);
      if (!line) {
        torn = true;
        break;
      }
      this.#lines++;
      if ('position' in line) {
        apply(batch);
        batch = [];
        position = line.position;
      } else {
        batch.push(changeOf(line));
      }
    }
    const { mtimeMs } = await stat(this.#path);
    return position && { position, writtenAt: mtimeMs, torn: torn || batch.length > 0 };
  }

  /** Adds a batch. `images` are all that are alive, for when the journal has to be written anew. */
  append(
    changes: readonly VerdictChange[],
    position: VerdictPosition,
    images: Iterable<KnownImage>,
    alive: number,
  ): void {
    this.#lines += changes.length + 1;
    if (this.#lines > 2 * alive + COMPACTION_SLACK_LINES) {
      this.rewrite(images, position);
      return;
    }
    const lines = changes.map(formatChange).join('') + formatLine({ position });
    this.#enqueue(() => appendFile(this.#path, lines));
  }

  /** Replaces the journal by what is alive now. */
  rewrite(images: Iterable<KnownImage>, position: VerdictPosition): void {
    const lines = [...images].map(({ digest, aliases, verdict }) =>
      formatChange({ image: digest, aliases, verdict }),
    );
    this.#lines = lines.length + 1;
    this.#enqueue(async () => {
      const temporary = `${this.#path}.new`;
      const file = await open(temporary, 'w', 0o600);
      try {
        for (let start = 0; start < lines.length; start += LINES_PER_WRITE) {
          await file.write(lines.slice(start, start + LINES_PER_WRITE).join(''));
        }
        await file.write(formatLine({ position }));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
    });
  }

  /** Resolves when everything so far is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #enqueue(write: () => Promise<void>): void {
    if (this.#failed) return;
    this.#writing = this.#writing.then(write).catch((cause: unknown) => {
      this.#failed = true;
      const err = new WebhookError('cache_unusable', `cannot write ${this.#path}`, { cause });
      this.#log.error({ err }, 'verdicts are no longer kept on disk');
    });
  }
}

function formatChange({ image, aliases, verdict }: VerdictChange): string {
  if (verdict === undefined) return formatLine({ gone: image });
  return `{"image":"${image}","aliases":${JSON.stringify(aliases)},"verdict":${verdict}}\n`;
}

function formatLine(line: JournalLine): string {
  return `${JSON.stringify(line)}\n`;
}

function changeOf(line: Exclude<JournalLine, { position: unknown }>): VerdictChange {
  if ('gone' in line) return { image: line.gone, aliases: [], verdict: undefined };
  return { image: line.image, aliases: line.aliases, verdict: JSON.stringify(line.verdict) };
}

function parseLine(text: string): JournalLine | undefined {
  try {
    return JSON.parse(text) as JournalLine;
  } catch {
    // The process ended while it wrote the line; nothing after the last position counts anyway.
    return undefined;
  }
}
