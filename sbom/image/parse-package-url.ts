/** The parts of a package URL, decoded. */
export interface PackageUrlParts {
  /** In lower case; of any kind, not only those that catalogers give. */
  readonly type: string;
  readonly namespace: readonly string[];
  readonly name: string;
  readonly version: string | undefined;
  /** Keys in lower case; those without a value are left out. */
  readonly qualifiers: ReadonlyMap<string, string>;
}

/** Longer ones are no names of packages: the parts of one are at most a few hundred characters. */
const MAX_URL_LENGTH = 4096;
const TYPE = /^[a-z][a-z0-9.+-]*$/;

/**
 * Takes a package URL apart as its specification says (https://github.com/package-url/purl-spec), but changes no letter
 * of names, as the rules of some types would: advisories know npm's JSONStream by its capitals. Undefined if it is none.
 */
export function parsePackageUrl(text: string): PackageUrlParts | undefined {
  if (text.length > MAX_URL_LENGTH) return undefined;
  const [, scheme, rest = ''] = /^(pkg:)\/*(.*)$/is.exec(text) ?? [];
  if (scheme === undefined) return undefined;
  try {
    return partsOf(rest);
  } catch {
    // Percent signs that encode nothing.
    return undefined;
  }
}

function partsOf(text: string): PackageUrlParts | undefined {
  const [beforeSubpath = ''] = text.split('#', 1);
  const question = beforeSubpath.indexOf('?');
  const query = question < 0 ? '' : beforeSubpath.slice(question + 1);
  const path = question < 0 ? beforeSubpath : beforeSubpath.slice(0, question);
  // An @ that stands before a slash is of a scope that was left as it is: pkg:npm/@scope/name.
  const at = path.lastIndexOf('@');
  const hasVersion = at > path.lastIndexOf('/') + 1;
  const [typeText = '', ...names] = (hasVersion ? path.slice(0, at) : path).split('/');
  const segments = names.filter((each) => each !== '').map(decodeURIComponent);
  const name = segments.pop();
  const type = typeText.toLowerCase();
  if (!TYPE.test(type) || name === undefined || segments.some((each) => each.includes('/'))) return undefined;
  const version = hasVersion ? decodeURIComponent(path.slice(at + 1)) : '';
  return { type, namespace: segments, name, version: version || undefined, qualifiers: qualifiersOf(query) };
}

function qualifiersOf(query: string): Map<string, string> {
  const pairs = query.split('&').flatMap((pair): [string, string][] => {
    const equals = pair.indexOf('=');
    const value = equals < 0 ? '' : decodeURIComponent(pair.slice(equals + 1));
    return value === '' ? [] : [[pair.slice(0, equals).toLowerCase(), value]];
  });
  return new Map(pairs);
}
