import { HEAD_BYTES } from '../catalogers/cataloger.ts';
import { type FilePart, FileParts, type Piece, type WantedPart } from '../catalogers/file-parts.ts';
import type { TarBody } from './tar-reader.ts';
import { TextSearch } from './text-search.ts';

/** What takes the bytes of a part, and gives those that are to be kept; undefined if there are too many. */
interface Keeper {
  readonly part: WantedPart;
  write(chunk: Buffer): void;
  end(): readonly Piece[] | undefined;
}

/** Keeps the parts of a passing file that are asked for once its head has been seen, and nothing else. */
export class BodyKeeper implements TarBody {
  readonly #size: number;
  readonly #head: Buffer;
  readonly #plan: (head: Buffer) => readonly WantedPart[] | undefined;
  readonly #done: (file: FileParts | undefined) => void;
  #keepers: readonly Keeper[] | undefined;
  #isPlanned = false;
  #position = 0;

  /** `plan` says which parts to keep, or undefined for none at all; `done` gets them, with the head. */
  constructor(
    size: number,
    plan: (head: Buffer) => readonly WantedPart[] | undefined,
    done: (file: FileParts | undefined) => void,
  ) {
    this.#size = size;
    this.#head = Buffer.alloc(Math.min(size, HEAD_BYTES));
    this.#plan = plan;
    this.#done = done;
  }

  write(chunk: Buffer): void {
    const taken = chunk.copy(this.#head, Math.min(this.#position, this.#head.length));
    this.#position += taken;
    if (this.#position < this.#head.length) return;
    this.#keepParts();
    this.#fill(chunk.subarray(taken));
  }

  end(): void {
    this.#keepParts();
    this.#done(this.#keepers && this.#fileOf(this.#keepers));
  }

  #fileOf(keepers: readonly Keeper[]): FileParts {
    const pieces: Piece[] = [];
    const searched: FilePart[] = [];
    for (const keeper of keepers) {
      const { start, length, around } = keeper.part;
      const found = keeper.end();
      if (found && around) searched.push({ start, length });
      for (const piece of found ?? []) pieces.push(piece);
    }
    pieces.push({ start: 0, bytes: this.#head });
    return new FileParts(this.#size, pieces, { searched });
  }

  #keepParts(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#keepers = this.#plan(this.#head)?.map(keeperOf);
    this.#position = 0;
    this.#fill(this.#head);
  }

  #fill(bytes: Buffer): void {
    const begin = this.#position;
    this.#position += bytes.length;
    for (const keeper of this.#keepers ?? []) {
      const { start, length } = keeper.part;
      const from = Math.max(begin, start);
      const to = Math.min(this.#position, start + length);
      if (from < to) keeper.write(bytes.subarray(from - begin, to - begin));
    }
  }
}

function keeperOf(part: WantedPart): Keeper {
  if (part.around) {
    const search = new TextSearch(part, part.around);
    return { part, write: (chunk) => search.write(chunk), end: () => search.end() };
  }
  const bytes = Buffer.alloc(part.length);
  let filled = 0;
  return {
    part,
    write(chunk) {
      filled += chunk.copy(bytes, filled);
    },
    end: () => [{ start: part.start, bytes }],
  };
}
