import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { catalogFolder, fold, type ImageContents } from '@gatehouse/sbom';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bdbOf } from '../../sbom/testing/rpm-databases.ts';
import { rpmHeader } from '../../sbom/testing/rpm-headers.ts';
import { need } from '../harness/tools.ts';

let rpm: string;
beforeAll(async () => {
  ({ rpm } = await need('rpm'));
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'packages-rpm-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What a command prints; RPM has warnings for whoever uses it on Debian. */
function printed(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

const FIELDS = '%{NAME} %{EPOCHNUM} %{VERSION}-%{RELEASE} %{ARCH} %{SOURCERPM} %{MODULARITYLABEL}';

/** What RPM itself lists in a database, each package in one line. */
function listWithRpm(root: string, options: readonly string[] = []): string[] {
  const args = ['--root', root, '--dbpath', '/var/lib/rpm', ...options, '-qa', '--qf', `${FIELDS}\n`];
  return printed(rpm, args).trimEnd().split('\n').sort();
}

async function contentsOf(root: string): Promise<ImageContents> {
  return fold([await catalogFolder({ layers: [root], index: 0 })]);
}

/** The same lines from what we find. */
async function listWithOurs(root: string): Promise<string[]> {
  const { packages, problems } = await contentsOf(root);
  expect(problems).toEqual([]);
  const lines = packages
    .filter(({ type }) => type === 'rpm')
    .map(({ name, version, arch, source, module }) => {
      const [epoch, rest] = version.includes(':') ? version.split(':') : ['0', version];
      const sourceVersion = source?.version.replace(`${epoch}:`, '');
      const sourceRpm = source ? `${source.name}-${sourceVersion}.src.rpm` : '(none)';
      return [name, epoch, rest, arch, sourceRpm, module ?? '(none)'].join(' ');
    });
  return lines.sort();
}

const SPEC = `
Name: tool-box
Version: 1.0~rc1
Release: 2.el9
Epoch: 3
Summary: words
License: none
BuildArch: noarch
ModularityLabel: box:1:20240101:abcdef
%description
words
%package -n libtool-box
Summary: words
%description -n libtool-box
words
%install
mkdir -p %{buildroot}/usr/lib/node_modules/left %{buildroot}/usr/share/box/node_modules/manual
echo '{"name":"left","version":"1.0.0"}' > %{buildroot}/usr/lib/node_modules/left/package.json
echo '{"name":"manual","version":"1.0.0"}' > %{buildroot}/usr/share/box/node_modules/manual/package.json
%files
%doc /usr/share/box/node_modules/manual/package.json
%files -n libtool-box
/usr/lib/node_modules
`;

const PLAIN_SPEC = `
Name: plain
Version: 2
Release: 1
Summary: words
License: none
BuildArch: noarch
%description
words
%files
`;

/** Builds packages of both specifications, and installs them into a folder. */
function installSamples(): string {
  for (const [name, spec] of Object.entries({ SPEC, PLAIN_SPEC })) {
    const path = join(folder, `${name}.spec`);
    writeFileSync(path, spec);
    const defines = ['--define', `_topdir ${join(folder, 'build')}`, '--define', `_rpmdir ${folder}`];
    printed(join(dirname(rpm), 'rpmbuild'), ['-bb', ...defines, path]);
  }
  const root = join(folder, 'root');
  mkdirSync(root);
  const files = ['tool-box-1.0~rc1-2.el9', 'libtool-box-1.0~rc1-2.el9', 'plain-2-1'].map((name) =>
    join(folder, 'noarch', `${name}.noarch.rpm`),
  );
  const options = ['--root', root, '--dbpath', '/var/lib/rpm', '--nodeps', '--nosignature', '--excludedocs'];
  printed(rpm, [...options, '-i', ...files]);
  return root;
}

describe('packages of RPM', () => {
  it('are those that rpm lists where it has installed them', async () => {
    const root = installSamples();
    const listed = listWithRpm(root);
    expect(listed).toEqual([
      'libtool-box 3 1.0~rc1-2.el9 noarch tool-box-1.0~rc1-2.el9.src.rpm box:1:20240101:abcdef',
      'plain 0 2-1 noarch plain-2-1.src.rpm (none)',
      'tool-box 3 1.0~rc1-2.el9 noarch tool-box-1.0~rc1-2.el9.src.rpm box:1:20240101:abcdef',
    ]);
    expect(await listWithOurs(root)).toEqual(listed);
  });

  it('own the files that rpm has put there, and no others', async () => {
    const root = installSamples();
    // Rpm left this one out, being documentation; then somebody else came.
    const manual = join(root, 'usr/share/box/node_modules/manual');
    mkdirSync(manual, { recursive: true });
    writeFileSync(join(manual, 'package.json'), '{"name":"manual","version":"2.0.0"}');
    const { packages } = await contentsOf(root);
    const found = packages.filter(({ type }) => type === 'npm');
    expect(found.map(({ name, locations }) => [name, locations[0]?.owned])).toEqual([
      ['left', true],
      ['manual', false],
    ]);
  });

  const word = fc.stringMatching(/^[a-z][a-z0-9._+-]{0,8}$/);
  const number = fc.stringMatching(/^[0-9][a-z0-9._~^]{0,8}$/);
  const sample = fc.record({
    name: word,
    version: number,
    release: number,
    epoch: fc.option(fc.nat(), { nil: undefined }),
    arch: fc.constantFrom('x86_64', 'noarch'),
    module: fc.option(word, { nil: undefined }),
    files: fc.array(
      word.map((name) => `/usr/bin/${name}`),
      { maxLength: 200 },
    ),
  });
  const samples = fc.uniqueArray(sample, { selector: ({ name }) => name, minLength: 1, maxLength: 10 });

  it.each([false, true])(
    'are those that rpm lists in a hash of Berkeley DB, big-endian: %s',
    async (isBigEndian) => {
      const database = join(folder, 'var/lib/rpm/Packages');
      mkdirSync(dirname(database), { recursive: true });
      const pageSize = fc.constantFrom(512, 4096, 32_768);
      await fc.assert(
        fc.asyncProperty(samples, pageSize, async (each, pageBytes) => {
          const rows = each.map((one) =>
            rpmHeader({ ...one, sourceRpm: `${one.name}-${one.version}-${one.release}.src.rpm` }),
          );
          writeFileSync(database, bdbOf(rows, { pageBytes, isBigEndian }));
          expect(await listWithOurs(folder)).toEqual(listWithRpm(folder, ['--define', '_db_backend bdb_ro']));
        }),
        { numRuns: 20 },
      );
    },
  );
});
