/**
 * An error that a program can act on (`code`) and a person can mend (`message`, `hint`).
 * Each component subclasses it once, with a closed union of codes taken from its table of codes,
 * from which docs/errors.md is generated.
 */
export abstract class CodedError<Code extends string> extends Error {
  readonly code: Code;
  /** What the reader can do about it, as a full sentence. */
  readonly hint: string | undefined;

  constructor(code: Code, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
  }
}

/** Whatever was thrown, as an Error; strings and objects become its message. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(typeof thrown === 'string' ? thrown : JSON.stringify(thrown));
}

/** Causes deeper than this tell the reader nothing new, and a cycle of causes must end. */
const MAX_CAUSES = 5;

/** One line for people: the message, what caused it, and the hint. */
export function explain(thrown: unknown): string {
  const messages: string[] = [];
  let hint: string | undefined;
  let current: unknown = thrown;
  for (let depth = 0; current !== undefined && depth < MAX_CAUSES; depth++) {
    const error = toError(current);
    const message = error.message || error.name;
    if (!messages.some((said) => said.includes(message))) messages.push(message);
    if (error instanceof CodedError) hint ??= error.hint;
    current = error.cause;
  }
  const line = messages.join(': ');
  return hint === undefined ? line : `${line}. ${hint}`;
}
