/** One line of progress, for people. Results go to stdout. */
export function say(what: string, text: string): void {
  process.stderr.write(`  ${what.padEnd(10)} ${text}\n`);
}

/** A number with its noun, such as `1 package`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
