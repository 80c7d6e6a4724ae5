import { AdvisoryError } from './errors.ts';

/** The longest name, version or vector of the public databases has 200 characters. */
const MAX_TEXT_LENGTH = 1024;

/** The longest list of the public databases, the versions of one package, has some thousands of entries. */
const MAX_LIST_LENGTH = 100_000;

/** What names, versions and vectors have no use for, and what terminals and databases choke on. */
const control = /\p{Cc}/u;

/** A value of a record together with where it stands there, so that each complaint can name the place. */
export class Field {
  readonly #record: string;
  readonly #path: string;
  readonly #value: unknown;

  private constructor(record: string, path: string, value: unknown) {
    this.#record = record;
    this.#path = path;
    this.#value = value;
  }

  /** The whole record, which complaints call by `name`. */
  static root(name: string, json: unknown): Field {
    return new Field(name, '', json);
  }

  /** A member of an object; it is absent where the object is absent or does not have it. */
  get(key: string): Field {
    const path = this.#path === '' ? key : `${this.#path}.${key}`;
    if (this.isAbsent) return new Field(this.#record, path, undefined);
    if (typeof this.#value !== 'object' || Array.isArray(this.#value)) this.fail('an object');
    const members = this.#value as Readonly<Record<string, unknown>>;
    return new Field(this.#record, path, members[key]);
  }

  /** For what a record can do without: absent, too, where this is no object. */
  find(key: string): Field {
    const isObject = typeof this.#value === 'object' && !Array.isArray(this.#value);
    return isObject ? this.get(key) : new Field(this.#record, key, undefined);
  }

  /** Databases write null for what they do not know. */
  get isAbsent(): boolean {
    return this.#value === undefined || this.#value === null;
  }

  /** The entries of a list; an absent list is empty. */
  list(): readonly Field[] {
    return this.#entries().map((entry, at) => new Field(this.#record, `${this.#path}[${at}]`, entry));
  }

  /** For what a record can do without: empty, too, where this is no list. */
  listIfAny(): readonly Field[] {
    return Array.isArray(this.#value) ? this.list() : [];
  }

  /** A list of texts; an absent list is empty. */
  texts(): readonly string[] {
    const entries = this.#entries();
    return entries.every(isShortText) ? entries : this.list().map((entry) => entry.text());
  }

  #entries(): readonly unknown[] {
    if (this.isAbsent) return [];
    if (!Array.isArray(this.#value)) this.fail('a list');
    const entries: readonly unknown[] = this.#value;
    if (entries.length > MAX_LIST_LENGTH) this.#failTooLarge(`${entries.length} entries`);
    return entries;
  }

  /** A name, a version, a vector: not empty, not long, without control characters. */
  text(): string {
    if (typeof this.#value !== 'string' || this.#value === '') this.fail('a text that is not empty');
    if (this.#value.length > MAX_TEXT_LENGTH) this.#failTooLarge(`${this.#value.length} characters`);
    if (control.test(this.#value)) this.fail('a text without control characters');
    return this.#value;
  }

  /** An RFC 3339 time in any zone, as one in UTC with milliseconds, so that times sort as texts. */
  time(): string {
    const text = this.text();
    const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text);
    const milliseconds = isTime ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(milliseconds)) this.fail('an RFC 3339 time');
    return new Date(milliseconds).toISOString();
  }

  /** For what a record can do without: undefined where there is no such text. */
  textIfAny(): string | undefined {
    return isShortText(this.#value) ? this.#value : undefined;
  }

  /** For prose: the first line that says something, cut to `length` characters; empty where there is none. */
  firstLine(length: number): string {
    if (typeof this.#value !== 'string') return '';
    const [line = ''] = this.#value.trimStart().split(/[\r\n]/, 1);
    const printable = line.replaceAll(/\p{Cc}/gu, ' ').trimEnd();
    return printable.length <= length ? printable : `${printable.slice(0, length - 1).toWellFormed()}…`;
  }

  fail(expected: string): never {
    const place = this.#path === '' ? 'the record' : this.#path;
    throw new AdvisoryError('record_invalid', `${this.#record}: ${place} is not ${expected}`, {
      hint: 'The record is skipped until its publisher mends it.',
    });
  }

  #failTooLarge(what: string): never {
    throw new AdvisoryError('record_too_large', `${this.#record}: ${this.#path} has ${what}`, {
      hint: 'The record is skipped until its publisher mends it.',
    });
  }
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_LENGTH && !control.test(value);
}
