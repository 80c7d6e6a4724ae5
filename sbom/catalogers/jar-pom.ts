/**
 * What Maven writes into the archives that it builds: META-INF/maven/GROUP/ARTIFACT/. Not only at the top: applications
 * have it among their classes, and some libraries among those that they hide from others.
 */
const POM = /(?:^|\/)META-INF\/maven\/([^/]+)\/([^/]+)\/pom\.(properties|xml)$/;

/** An artifact of Maven's; without a version where only its folder is there, or a version that was never filled in. */
export interface Pom {
  readonly group: string;
  readonly artifact: string;
  readonly version: string | undefined;
}

/** The artifact of a folder in an archive, and whether the file in it says the version. */
export function parsePomPath(path: string): (Pom & { readonly saysVersion: boolean }) | undefined {
  const [, group = '', artifact = '', extension] = POM.exec(path) ?? [];
  if (group === '') return undefined;
  return { group, artifact, version: undefined, saysVersion: extension === 'properties' };
}

/** A pom.properties file. What it lacks, the folder says, which Maven names by the same. */
export function parsePomProperties(text: string, folder: Pom): Pom {
  const values = new Map<string, string>();
  for (const line of text.split(/\r\n?|\n/)) {
    const [, key, value = ''] = /^\s*(groupId|artifactId|version)\s*[=:](.*)$/.exec(line) ?? [];
    if (key !== undefined && isFilledIn(value.trim())) values.set(key, value.trim());
  }
  return {
    group: values.get('groupId') ?? folder.group,
    artifact: values.get('artifactId') ?? folder.artifact,
    version: values.get('version'),
  };
}

function isFilledIn(value: string): boolean {
  return value !== '' && !value.includes('${');
}
