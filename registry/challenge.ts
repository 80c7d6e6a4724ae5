/** What a server wants of whoever asks it. RFC 9110, section 11.6.1. */
export interface Challenge {
  /** In lower case, such as `bearer`. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** No server has reason to say more. */
const MAX_HEADER_LENGTH = 8192;
const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
/** A parameter, or the scheme that begins the next challenge; whichever comes. */
const PARAMETER = new RegExp(`(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`, 'y');
const SCHEME = new RegExp(`(${TOKEN})(?:[ \\t]+|$|(?=[ \\t]*,))`, 'y');
const BETWEEN = /[ \t]*(?:,[ \t]*)*/y;

/** The challenges of a WWW-Authenticate header; what comes after something that is none of them is passed over. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const text = header.slice(0, MAX_HEADER_LENGTH);
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  for (take(BETWEEN); at < text.length; take(BETWEEN)) {
    const current = challenges.at(-1);
    const parameter = current && take(PARAMETER);
    if (parameter) {
      const [, name = '', quoted, plain = ''] = parameter;
      current.parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? plain);
      continue;
    }
    const scheme = take(SCHEME);
    if (!scheme) break;
    challenges.push({ scheme: scheme[1]?.toLowerCase() ?? '', parameters: new Map() });
  }
  return challenges;
}
