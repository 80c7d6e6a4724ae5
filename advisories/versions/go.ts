import { compareSemver, isSemver } from './semver.ts';

/**
 * The order of Go module versions (go.dev/ref/mod#versions): Semantic Versioning, in which `+incompatible` is build
 * metadata and a pseudo-version a prerelease of the version after the tag it was made from. The standard library and
 * the toolchain are numbered as releases of Go, `go1.22.3` or `go1.23rc1`, which the Go vulnerability database
 * writes as 1.22.3 and 1.23.0-rc.1.
 */
export function compareGo(a: string, b: string): number {
  return compareSemver(semanticForm(a), semanticForm(b));
}

/** Whether the text is a version of a module or a release of Go; `(devel)` and builds of Go from its tip are not. */
export function isGoVersion(text: string): boolean {
  return isSemver(semanticForm(text));
}

/** A release as `go version` prints it; what follows the number names experiments or who built it. */
const releasePattern = /^(go)?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:(alpha|beta|rc)(\d+))?(?:[-+ ].*)?$/;

/** A number without `go` before it is a release only if it has a stage without a hyphen, which no module has. */
function semanticForm(version: string): string {
  const [, prefix, major, minor = '0', patch = '0', stage, number] = releasePattern.exec(version) ?? [];
  if (prefix === undefined && stage === undefined) return version;
  const release = `${major}.${minor}.${patch}`;
  return stage === undefined ? release : `${release}-${stage}.${number}`;
}
