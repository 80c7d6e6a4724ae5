import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fileOf } from '../testing/files.ts';
import { elfProgram, goProgram, rustProgram } from '../testing/programs.ts';
import { rawZip } from '../testing/raw-zip.ts';
import { bdbOf, ndbOf, sqliteOf } from '../testing/rpm-databases.ts';
import { rpmHeader } from '../testing/rpm-headers.ts';
import { examine } from './examine.ts';
import { FileParts } from './file-parts.ts';
import { CATALOGER_VERSION, CATALOGER_VERSION_FORM, catalogers } from './table.ts';

const rpmRows = [
  rpmHeader({
    name: 'a',
    version: '1',
    release: '2.el9',
    epoch: 3,
    arch: 'x86_64',
    sourceRpm: 's-1-2.el9.src.rpm',
    module: 'm:1:2:3',
    files: ['/usr/bin/a', '/etc/a'],
    states: [0, 2],
  }),
  rpmHeader({ name: 'b'.repeat(1000), version: '1', release: '2' }),
  rpmHeader({ name: 'gpg-pubkey', version: '1', release: '2' }),
  Buffer.from('no header'),
];

const jar = rawZip([
  { name: 'META-INF/MANIFEST.MF', content: 'Implementation-Title: g#app;1\nImplementation-Version: 1\n' },
  { name: 'META-INF/maven/org.example/a/pom.properties', content: 'artifactId=a\nversion=1\n' },
  { name: 'META-INF/maven/org.example/b/pom.properties', content: 'version=2\n' },
  { name: 'lib/spring-core-5.3.20.jar', content: rawZip([]) },
  { name: 'lib/damaged.jar', content: 'PK\x03\x04' },
]);

/** Files of every kind that a cataloger tells apart. */
const samples: Readonly<Record<string, readonly (string | Buffer | FileParts)[]>> = {
  dpkg: [
    'Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nSource: s (2)\n',
    'Package: a\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: b\n',
  ],
  'dpkg-files': [
    fileOf('/.\n/usr\n/usr/bin/x\n', 'a:amd64.list'),
    fileOf(`${'0'.repeat(32)}  usr/bin/x\n`, 'a.md5sums'),
  ],
  apk: ['P:a\nV:1-r0\nA:x86_64\no:s\nF:usr/bin\nR:x\n\nP:b\n'],
  rpm: [sqliteOf(rpmRows), bdbOf(rpmRows), bdbOf(rpmRows, { isBigEndian: true }), ndbOf(rpmRows), '', 'x'],
  'rpm-manifest': ['a\t1-2\t1\t1\tv\t(none)\t1\tnoarch\t3\ts-1-2.src.rpm\nb\n'],
  'os-release': ['ID="debian"\nVERSION_ID=12\nPRETTY_NAME=\'Debian 12\'\n', ''],
  npm: ['{"name":"a","version":"1"}', '{"name":"a"}', '['],
  python: ['Name: a\nVersion: 1\n\nbody', 'Name: a\n'],
  java: [
    fileOf(jar, 'app.jar'),
    fileOf(rawZip([]), 'guava-31.1-jre.jar'),
    fileOf(rawZip([]), 'main/org.ow2.asm.asm-9.5.jar'),
    'PK\x03\x04',
    'text',
  ],
  jvm: ['JAVA_VERSION="17.0.9"\n', 'VERSION=1\n'],
  dotnet: [
    '{"libraries":{"A/1":{"type":"package"},"B/1":{"type":"project"},"C":{"type":"package"},"runtimepack.D/1":{"type":"runtimepack"}}}',
    '{',
  ],
  php: ['[{"name":"a/b","version":"v1.0"},{}]', '{"packages":[{"name":"a/b","version":"dev-main"}]}', '{}'],
  ruby: [
    '# stub: a 1 ruby lib\n',
    's.name = "a".freeze\ns.version = Gem::Version.new("1")\n',
    's.name = b\n',
  ],
  conda: ['{"name":"a","version":"1"}', '{}'],
  executable: [
    goProgram({
      toolchain: 'go1.22.3 X:a',
      modules: 'mod\ta.test/x\t(devel)\ndep\tb.test/y\tv1.0.0\n=>\t./y\n',
    }),
    goProgram({ toolchain: 'devel go1.24-abc', modules: '=>\ta\tb\n' }),
    goProgram({ toolchain: 'go1.16', modules: 'mod\ta.test/x\tv1.0.0\n', form: 'pointers' }),
    elfProgram(Buffer.from('\xff Go buildinf:\x08\x02', 'latin1')),
    rustProgram({
      packages: [
        { name: 'a', version: '1.0.0', source: 'local', root: true },
        { name: 'b', version: '2.0.0', source: 'crates.io', kind: 'build' },
      ],
    }),
    rustProgram([]),
    fileOf(elfProgram(Buffer.alloc(0), { text: Buffer.from('node.js/v24.1.0') }), 'node'),
  ],
};

/** What each version of a cataloger gives for its samples. A new hash here needs a new version there. */
const outputs = {
  'dpkg 1': '65dc92861590d48a',
  'dpkg-files 3': 'c407c931eedbaa20',
  'apk 2': '2f6f09b78f14b39d',
  'rpm 2': 'db25681e3be696e2',
  'rpm-manifest 1': '80dbd61021ef318d',
  'os-release 1': '301a220c75965091',
  'npm 2': 'd8df6bb22f809500',
  'python 1': '608e95a85ce4e1a8',
  'java 3': '7c4061396c8d6f1d',
  'jvm 1': '63aa4c2296510dd3',
  'dotnet 2': '82a0e08eb7676272',
  'php 1': 'bc8c2288b050faf5',
  'ruby 1': '4e134ef08edd4bbb',
  'conda 1': 'c5dbe20fb1af3d81',
  'executable 1': '61d2c94c76052964',
};

function outputOf(name: string): string {
  const cataloger = catalogers.find((each) => each.name === name);
  const found = (samples[name] ?? []).map(
    (sample) => cataloger && examine(cataloger, sample instanceof FileParts ? sample : fileOf(sample)),
  );
  return createHash('sha256').update(JSON.stringify(found)).digest('hex').slice(0, 16);
}

describe('the version of the catalogers', () => {
  it('changes with what they give', () => {
    const current = catalogers.map(({ name, version }) => [`${name} ${version}`, outputOf(name)]);
    expect(Object.fromEntries(current)).toEqual(outputs);
  });

  it('is of the form that other releases recognise', () => {
    expect(CATALOGER_VERSION).toMatch(CATALOGER_VERSION_FORM);
  });
});
