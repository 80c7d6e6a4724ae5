import { isPackageText } from './package.ts';

/** The operating system, of which a distribution's advisories are published per version. */
export interface OsRelease {
  /** As in `debian`, `ubuntu`, `alpine`. */
  readonly id: string;
  /** As in `12` or `22.04`; rolling distributions have none. */
  readonly versionId?: string | undefined;
  readonly prettyName?: string | undefined;
}

/** Whether all texts of it are printable and of a sensible length. */
export function isSoundOs({ id, versionId, prettyName }: OsRelease): boolean {
  return [id, versionId, prettyName].every((text) => text === undefined || isPackageText(text));
}
