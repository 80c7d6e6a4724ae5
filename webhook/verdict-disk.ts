import { appendFile, mkdir, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { VerdictChange, VerdictPosition } from '@gatehouse/core-client';
import { readLines } from '@gatehouse/lib/lines.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import type { KnownImage } from '@gatehouse/policies';
import { WebhookError } from './errors.ts';

/** The journal is written anew once it holds this many lines more than twice what is alive. */
const COMPACTION_SLACK_LINES = 10_000;
/** What may wait for a slow disk; beyond this, changes are left out until the journal is written anew. */
const MAX_WAITING_CHARACTERS = 64 * 1024 * 1024;
/** How many images a rewritten journal takes into memory as text at a time. */
const LINES_PER_WRITE = 1_000;
/** A line of 128 names and 20 findings has some 200 KB; what is longer is not of our writing. */
const MAX_LINE_CHARACTERS = 4 * 1024 * 1024;

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
  #waitingCharacters = 0;
  /** Changes were left out. */
  #behind = false;
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

  /**
   * Replays the journal up to the last position in it that can be read; gives that position and when it was written, if
   * there is one. It is `torn` if something stands behind that.
   */
  async load(
    apply: (changes: readonly VerdictChange[]) => void,
  ): Promise<{ position: VerdictPosition; writtenAt: number; torn: boolean } | undefined> {
    let last: { position: VerdictPosition; writtenAt: number } | undefined;
    let batch: VerdictChange[] = [];
    let problem: unknown;
    try {
      const { mtimeMs } = await stat(this.#path);
      for await (const text of readLines(this.#path, MAX_LINE_CHARACTERS)) {
        const line = parseLine(text);
        this.#lines++;
        if ('position' in line) {
          apply(batch);
          batch = [];
          last = { position: line.position, writtenAt: mtimeMs };
        } else {
          batch.push(changeOf(line));
        }
      }
      if (batch.length > 0) problem = new Error('the last batch has no position');
    } catch (error) {
      problem = error;
    }
    if (problem) {
      const err = new WebhookError('cache_unusable', `${this.#path} breaks off after line ${this.#lines}`, {
        cause: problem,
      });
      this.#log.warn({ err, revision: last?.position.revision }, 'verdicts on disk are there only in part');
    }
    return last && { ...last, torn: problem !== undefined };
  }

  /** Adds a batch. `images` are all that are alive, for when the journal has to be written anew. */
  append(
    changes: readonly VerdictChange[],
    position: VerdictPosition,
    images: Iterable<KnownImage>,
    alive: number,
  ): void {
    this.#lines += changes.length + 1;
    this.#behind ||= this.#waitingCharacters > MAX_WAITING_CHARACTERS;
    if (this.#behind && this.#waitingCharacters > 0) return;
    if (this.#behind || this.#lines > 2 * alive + COMPACTION_SLACK_LINES) {
      this.rewrite(images, position);
      return;
    }
    const lines = changes.map(formatChange).join('') + formatLine({ position });
    this.#enqueue(lines.length, () => appendFile(this.#path, lines));
  }

  /** Replaces the journal by what is alive now. */
  rewrite(images: Iterable<KnownImage>, position: VerdictPosition): void {
    const lines = [...images].map(({ digest, aliases, verdict }) =>
      formatChange({ image: digest, aliases, verdict }),
    );
    this.#lines = lines.length + 1;
    this.#behind = false;
    // Not counted as waiting: it is bounded by what is alive, and what comes meanwhile is to be added to it.
    this.#enqueue(0, async () => {
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

  #enqueue(characters: number, write: () => Promise<void>): void {
    if (this.#failed) return;
    this.#waitingCharacters += characters;
    // After a write that failed none may follow: its position would stand for changes that are not there.
    const next = this.#writing.then(() => (this.#failed ? undefined : write()));
    this.#writing = next.catch((cause: unknown) => {
      this.#failed = true;
      const err = new WebhookError('cache_unusable', `cannot write ${this.#path}`, { cause });
      this.#log.error({ err }, 'verdicts are no longer kept on disk');
    });
    this.#writing = this.#writing.then(() => {
      this.#waitingCharacters -= characters;
    });
  }
}

function formatChange({ image, aliases, verdict }: VerdictChange): string {
  if (verdict === undefined) return formatLine({ gone: image });
  return `{"image":${JSON.stringify(image)},"aliases":${JSON.stringify(aliases)},"verdict":${verdict}}\n`;
}

function formatLine(line: JournalLine): string {
  return `${JSON.stringify(line)}\n`;
}

function changeOf(line: Exclude<JournalLine, { position: unknown }>): VerdictChange {
  if ('gone' in line) return { image: line.gone, aliases: [], verdict: undefined };
  return { image: line.image, aliases: line.aliases, verdict: JSON.stringify(line.verdict) };
}

function parseLine(text: string): JournalLine {
  if (!text.endsWith('\n')) throw new Error('the line is cut off');
  const line: unknown = JSON.parse(text);
  if (isJournalLine(line)) return line;
  throw new Error('the line is none of a journal');
}

function isJournalLine(line: unknown): line is JournalLine {
  if (!isObject(line)) return false;
  const { position, gone, image, aliases, verdict } = line;
  if (isObject(position)) return typeof position.store === 'string' && isRevision(position.revision);
  if (gone !== undefined) return typeof gone === 'string';
  const areNames = Array.isArray(aliases) && aliases.every((alias) => typeof alias === 'string');
  return typeof image === 'string' && areNames && isObject(verdict);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isRevision(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
