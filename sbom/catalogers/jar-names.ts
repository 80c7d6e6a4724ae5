/** Archives of Java: libraries, applications, and plug-ins of servers, of build tools and of OSGi. */
const ARCHIVE = /\.(jar|war|ear|par|sar|rar|nar|kar|hpi|jpi|lpkg)$/i;

export function isArchiveName(path: string): boolean {
  return ARCHIVE.test(path);
}

/** The folders of an application of Quarkus, which has its libraries in them as GROUP.ARTIFACT-VERSION.jar. */
const WITH_GROUP = /(?:^|\/)lib\/((?:boot|main|deployment)\/[^/]+\.jar)$/;

/** What of an archive's path says what it is: its last name, with the folder before it where that means something. */
export function archiveHint(path: string): string {
  return WITH_GROUP.exec(path)?.[1] ?? path.slice(path.lastIndexOf('/') + 1);
}

/** What the name of an archive says it is. */
export interface JarName {
  /** Only where the folder says that the name begins with it. */
  readonly group?: string | undefined;
  readonly artifact: string;
  readonly version: string | undefined;
}

/** Parts of versions that are no numbers. */
const QUALIFIER =
  /^(\d.*|v\d.*|snapshot|release|final|ga|sp\d*|alpha.*|beta.*|rc\d*|cr\d*|m\d+|b\d+|jre\d*|android|incubating|redhat\w*|hadoop\d*|java\d+|jdk\d+)$/i;

/**
 * The name and the version in `log4j-1.2-api-2.17.1.jar` or `guava-31.1-jre.jar`: the version begins at the first number
 * after which there is nothing but versions; where there is no such, at the last one, and a classifier follows it, as in
 * `netty-transport-native-epoll-4.1.50.Final-linux-x86_64.jar`.
 */
export function parseJarName(hint: string): JarName {
  const slash = hint.indexOf('/');
  const named = parseBaseName(hint.slice(slash + 1));
  return slash < 0 ? named : { ...splitGroup(named.artifact), version: named.version };
}

/**
 * Artifacts may have dots, too: `org.postgresql.postgresql`, in which the group ends where a word comes twice,
 * `org.eclipse.sisu.org.eclipse.sisu.inject`, in which the group comes twice, and all others, as `io.netty.netty-common`.
 */
function splitGroup(name: string): { readonly group?: string; readonly artifact: string } {
  const words = name.split('.');
  const twice = words.findIndex((word, index) => index > 0 && word === words[index - 1]);
  const again = words.indexOf(words[0] ?? '', 1);
  const at = [twice, again].find((index) => index > 0) ?? words.length - 1;
  if (at === 0) return { artifact: name };
  return { group: words.slice(0, at).join('.'), artifact: words.slice(at).join('.') };
}

function parseBaseName(baseName: string): JarName {
  const stem = baseName.replace(ARCHIVE, '');
  const parts = stem.split('-');
  const starts = parts.flatMap((each, index) => (index > 0 && /^v?\d/.test(each) ? [index] : []));
  const begin = lastRun(parts, starts);
  if (begin === undefined) return { artifact: stem, version: undefined };
  const end = parts.findIndex((each, index) => index > begin && !QUALIFIER.test(each));
  const version = parts.slice(begin, end < 0 ? undefined : end).join('-');
  return { artifact: parts.slice(0, begin).join('-'), version: version.replace(/^v(?=\d)/, '') };
}

function lastRun(parts: readonly string[], starts: readonly number[]): number | undefined {
  const lastOther = parts.findLastIndex((each) => !QUALIFIER.test(each));
  return starts.find((start) => start > lastOther) ?? starts.at(-1);
}
