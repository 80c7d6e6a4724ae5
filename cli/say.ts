/** One line of progress, for people. Results go to stdout. */
export function say(what: string, text: string): void {
  process.stderr.write(`  ${what.padEnd(10)} ${text}\n`);
}
