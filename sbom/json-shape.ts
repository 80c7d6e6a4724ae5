/** Something of a JSON document is not of the shape that was expected; the message says where. */
export class ShapeFault extends Error {}

/** A value of a JSON document and where it stands in it, for messages. */
export class JsonValue {
  readonly #value: unknown;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    this.#value = value;
    this.#where = where;
  }

  get where(): string {
    return this.#where;
  }

  get isList(): boolean {
    return Array.isArray(this.#value);
  }

  get isAbsent(): boolean {
    return this.#value === undefined || this.#value === null;
  }

  /** A member of an object; absent if the object does not have it. */
  get(key: string): JsonValue {
    if (typeof this.#value !== 'object' || this.#value === null || Array.isArray(this.#value)) {
      throw this.fault('is not an object');
    }
    const value: unknown = Object.hasOwn(this.#value, key) ? Reflect.get(this.#value, key) : undefined;
    return new JsonValue(value, `${this.#where}.${key}`);
  }

  /** What `parse` makes of the value, or undefined if there is none. */
  optional<T>(parse: (value: JsonValue) => T): T | undefined {
    return this.isAbsent ? undefined : parse(this);
  }

  list<T>(most: number, parse: (value: JsonValue) => T): T[] {
    if (!Array.isArray(this.#value)) throw this.fault('is not a list');
    if (this.#value.length > most) throw this.fault(`has more than ${most} items`);
    return this.#value.map((item, index) => parse(new JsonValue(item, `${this.#where}[${index}]`)));
  }

  /** The members of an object, each with its name. */
  members<T>(most: number, parse: (value: JsonValue, name: string) => T): T[] {
    if (typeof this.#value !== 'object' || this.#value === null || Array.isArray(this.#value)) {
      throw this.fault('is not an object');
    }
    const entries: [string, unknown][] = Object.entries(this.#value);
    if (entries.length > most) throw this.fault(`has more than ${most} members`);
    return entries.map(([name, value]) => parse(new JsonValue(value, `${this.#where}.${name}`), name));
  }

  text(accept: (text: string) => boolean, expected: string): string {
    if (typeof this.#value !== 'string' || !accept(this.#value)) throw this.fault(`is not ${expected}`);
    return this.#value;
  }

  oneOf<const Choice extends string | number | true>(choices: readonly Choice[]): Choice {
    const choice = choices.find((each) => each === this.#value);
    if (choice === undefined) throw this.fault(`is not one of ${choices.join(', ')}`);
    return choice;
  }

  count(): number {
    if (!Number.isSafeInteger(this.#value) || Number(this.#value) < 0) throw this.fault('is not a count');
    return Number(this.#value);
  }

  fault(what: string): ShapeFault {
    return new ShapeFault(`${this.#where} ${what}`);
  }
}
