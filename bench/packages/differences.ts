/** Why one of the two finds what the other does not; docs/comparison.md says it at length, by the same names. */
export interface Difference {
  /** Who finds it. */
  readonly by: 'ours' | 'syft';
  readonly image?: string;
  /** Of `TYPE NAME VERSION`; all of them where it is left out. */
  readonly what?: RegExp;
  /** Of the paths of the evidence, each of them. */
  readonly where?: RegExp;
  readonly reason: string;
}

export const differences: readonly Difference[] = [
  { by: 'syft', what: /^npm /, where: /^(?!.*node_modules)/, reason: 'manifest that nothing installed' },
  {
    by: 'syft',
    what: /^npm /,
    where: /\/(tools|benchmarks?|test\/.*)\/package\.json$/,
    reason: 'manifest that nothing installed',
  },
  { by: 'syft', where: /\.exe$/, reason: 'program for Windows' },
  { by: 'syft', what: /^maven .* \(devel\)$/, reason: 'archive that states no version' },
  { by: 'ours', image: 'java', what: /^maven tomcat-/, reason: 'another name for the same archive' },
  {
    by: 'syft',
    image: 'java',
    what: /^maven (catalina|jasper|(annotations|el|jaspic|jsp|servlet|websocket)-api)/,
    where: /^opt\/apache-tomcat-/,
    reason: 'another name for the same archive',
  },
  ...both({ image: 'java', what: / (keycloak|quarkus-run) /, reason: 'another name for the same archive' }),
  ...both({ image: 'java', what: /wrapper 3/, reason: 'another name for the same archive' }),
  ...both({ image: 'java', what: /sisu/, reason: 'another name for the same archive' }),
  {
    by: 'ours',
    image: 'java',
    where:
      /(^opt\/lib\/hadoop-client-runtime|\/(org\.mvnpm|org\.graalvm\.sdk\.|io\.smallrye\.smallrye-open-api-core-|groovy-2\.4\.6-indy))/,
    reason: 'archive that Syft names nothing in',
  },
  {
    by: 'ours',
    what: /^generic (openssl|xz|zlib) /,
    where: /\.so[.\d]*$/,
    reason: 'library known by its own text',
  },
  { by: 'ours', what: /^npm nearley /, reason: 'manifest that Syft does not take' },
];

/** What the two call by different names. */
function both(each: Omit<Difference, 'by'>): readonly Difference[] {
  return [
    { by: 'ours', ...each },
    { by: 'syft', ...each },
  ];
}
