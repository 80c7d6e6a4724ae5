export interface RootContent {
  readonly packages: readonly string[];
  /** Packages to leave out although others depend on them. */
  readonly without?: readonly string[];
  /** Further files, by their paths; those that begin with #! are executable. */
  readonly files?: Readonly<Record<string, string>>;
}
/**
 * The path of a tar of a minimal Debian root: the packages and what they depend on, unpacked, with no shell, no package
 * manager and no users unless a package brings them. With security updates.
 */
export declare function minimalRoot({ packages, without, files }: RootContent): Promise<string>;
