import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { catalogFolder, fold, type ImagePackage } from '@gatehouse/sbom';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { goProgram } from '../../sbom/testing/programs.ts';
import { need } from '../harness/tools.ts';

let go: string;
beforeAll(async () => {
  ({ go } = await need('go', 'pip'));
});

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'overlay-evidence-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string | Buffer, mode = 0o644): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content, { mode });
  return full;
}

/** The packages of one type in a folder, which is taken for an image of one layer. */
async function packagesIn(folder: string, type: ImagePackage['type']): Promise<readonly ImagePackage[]> {
  const { packages } = fold([await catalogFolder({ layers: [folder], index: 0 })]);
  return packages.filter((each) => each.type === type);
}

describe('packages of Debian', () => {
  const FORMAT = [
    'Package',
    'Version',
    'Architecture',
    'source:Package',
    'source:Version',
    'db:Status-Status',
  ];

  /** What dpkg itself reads in a database, without packages of which no file is left. */
  function listWithDpkg(admindir: string): string[] {
    const format = `${FORMAT.map((field) => `\${${field}}`).join(' ')}\n`;
    const listed = execFileSync('dpkg-query', ['--admindir', admindir, '-W', '-f', format]).toString();
    return listed
      .split('\n')
      .filter((line) => line !== '' && !/ (not-installed|config-files)$/.test(line))
      .map((line) => line.replace(/ [^ ]+$/, ''))
      .sort();
  }

  async function listWithOurs(): Promise<string[]> {
    const found = await packagesIn(root, 'deb');
    return found
      .map(({ name, version, arch, source }) =>
        [name, version, arch, source?.name, source?.version].join(' '),
      )
      .sort();
  }

  const word = fc.stringMatching(/^[a-z0-9][a-z0-9+.-]{1,8}$/);
  const version = fc.stringMatching(/^([1-9]:)?[0-9][a-z0-9+~.]{0,6}(-[a-z0-9+~.]{1,4})?$/);
  const state = fc.constantFrom(
    'install ok installed',
    'hold ok installed',
    'deinstall ok installed',
    'deinstall ok config-files',
    'install ok unpacked',
    'install ok half-configured',
  );
  const source = fc.option(fc.tuple(word, fc.option(version)));
  const stanza = fc
    .record({
      name: word,
      version,
      arch: fc.constantFrom('amd64', 'all'),
      state,
      source,
      isFolded: fc.boolean(),
    })
    .map((each) => {
      const from =
        each.source && `Source: ${each.source[0]}${each.source[1] ? ` (${each.source[1]})` : ''}\n`;
      const description = each.isFolded
        ? 'Description: words\n more words\n .\n Package: none\n'
        : 'Description: words\n';
      const head = `Package: ${each.name}\nStatus: ${each.state}\nMaintainer: nobody <nobody@example.test>\n`;
      return {
        name: each.name,
        text: `${head}Architecture: ${each.arch}\n${from ?? ''}Version: ${each.version}\n${description}`,
      };
    });
  const database = fc.uniqueArray(stanza, { selector: ({ name }) => name, maxLength: 12 });

  it('are those that dpkg-query lists, whatever the database says of them', async () => {
    await fc.assert(
      fc.asyncProperty(database, async (stanzas) => {
        const status = write('var/lib/dpkg/status', stanzas.map(({ text }) => text).join('\n'));
        expect(await listWithOurs()).toEqual(listWithDpkg(dirname(status)));
      }),
      { numRuns: 100 },
    );
  });

  it('are those that dpkg-query lists on this machine', async () => {
    write('var/lib/dpkg/status', readFileSync('/var/lib/dpkg/status'));
    expect(await listWithOurs()).toEqual(listWithDpkg('/var/lib/dpkg'));
  });
});

describe('modules of a Go program', () => {
  /** As `go version -m` prints them: the toolchain on the first line, then one line for each module. */
  function listWithGo(program: string): string[] {
    const [head = '', ...lines] = execFileSync(go, ['version', '-m', program]).toString().split('\n');
    const modules: string[] = [];
    for (const line of lines) {
      const [, kind = '', path = '', version = ''] = line.split('\t');
      if (kind === '=>') modules.pop();
      if (['mod', 'dep', '=>'].includes(kind)) modules.push(`${path} ${version || '(devel)'}`);
    }
    return [`stdlib ${/go([\d.]+)/.exec(head.replace(program, ''))?.[1]}`, ...modules].sort();
  }

  async function listWithOurs(): Promise<string[]> {
    return (await packagesIn(root, 'golang')).map(({ name, version }) => `${name} ${version}`).sort();
  }

  /** A program of two modules, one of them replaced, built from copies beside it. */
  function writeModule(folder: string): void {
    const files = {
      'go.mod':
        'module example.test/tool\n\ngo 1.21\n\nrequire (\n\ta.test/x v1.2.3\n\tb.test/y v0.1.0\n)\n\nreplace b.test/y => c.test/z v0.2.0\n',
      'main.go':
        'package main\n\nimport (\n\t"a.test/x"\n\t"b.test/y"\n)\n\nfunc main() { println(x.X, y.Y) }\n',
      'vendor/modules.txt':
        '# a.test/x v1.2.3\n## explicit\na.test/x\n# b.test/y v0.1.0 => c.test/z v0.2.0\n## explicit\nb.test/y\n# b.test/y => c.test/z v0.2.0\n',
      'vendor/a.test/x/x.go': 'package x\n\nconst X = 1\n',
      'vendor/b.test/y/y.go': 'package y\n\nconst Y = 2\n',
    };
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
  }

  it.each([
    ['as it is', [], {}],
    ['without symbols', ['-ldflags=-s -w'], {}],
    ['to be loaded anywhere', ['-buildmode=pie'], {}],
    ['for 32 bits', [], { GOARCH: '386' }],
    ['for a machine with the other byte order', [], { GOARCH: 's390x' }],
  ])('are those that go lists for one built %s', async (_how, flags, env) => {
    const source = mkdtempSync(join(tmpdir(), 'overlay-go-'));
    try {
      writeModule(source);
      const output = join(root, 'usr/bin/tool');
      execFileSync(go, ['build', '-mod=vendor', '-buildvcs=false', ...flags, '-o', output, '.'], {
        cwd: source,
        env: { ...process.env, CGO_ENABLED: '0', ...env },
      });
      const listed = listWithGo(output);
      expect(listed).toContain('c.test/z v0.2.0');
      expect(await listWithOurs()).toEqual(listed);
    } finally {
      rmSync(source, { recursive: true });
    }
  });

  it('are those that go lists for one from before Go 1.18', async () => {
    const modules =
      'path\texample.test/old\nmod\texample.test/old\tv1.0.0\t\ndep\ta.test/x\tv1.2.3\th1:abc=\n';
    const program = goProgram({ toolchain: 'go1.16.7', modules, form: 'pointers' });
    const path = write('usr/bin/old', program, 0o755);
    expect(await listWithOurs()).toEqual(listWithGo(path));
  });

  it('are those that go lists for the go command itself', async () => {
    const command = execFileSync(go, ['env', 'GOROOT']).toString().trim();
    cpSync(join(command, 'bin/go'), join(root, 'go'));
    expect(await listWithOurs()).toEqual(listWithGo(join(root, 'go')));
  });
});

describe('packages of npm', () => {
  it('are those that npm lists, with scopes, nested copies and aliases', async () => {
    const pack = (name: string, version: string, dependencies = {}): string => {
      const folder = join(root, 'made', `${name.replace('/', '-')}-${version}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, dependencies }));
      const tarball = execFileSync('npm', ['pack', '--silent'], { cwd: folder }).toString().trim();
      return `file:${join(folder, tarball)}`;
    };
    const old = pack('left', '1.0.0');
    const dependencies = {
      left: pack('left', '2.0.0'),
      '@example/needs-old': pack('@example/needs-old', '1.0.0', { left: old }),
      alias: pack('real', '3.0.0'),
    };
    const app = join(root, 'image/app');
    mkdirSync(app, { recursive: true });
    writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', dependencies }));
    execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', '--silent'], { cwd: app });
    const paths = execFileSync('npm', ['ls', '--all', '--parseable', '--long'], { cwd: app })
      .toString()
      .trim()
      .split('\n');
    // An alias is listed with the package that it stands for at the end.
    const listed = paths.slice(1).map((line) => line.split(':').at(-1));
    const found = await packagesIn(join(root, 'image'), 'npm');
    expect(found.map(({ name, version }) => `${name}@${version}`).sort()).toEqual(listed.sort());
    expect(listed).toHaveLength(4);
  });
});

describe('packages of Python', () => {
  it('are those that pip lists in a folder, however they were installed', async () => {
    const site = 'usr/lib/python3/dist-packages';
    const metadata = (name: string, version: string): string =>
      `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n\nName: no\n`;
    write(`${site}/Jinja2-3.1.2.dist-info/METADATA`, metadata('Jinja2', '3.1.2'));
    write(`${site}/zope.interface-6.0.dist-info/METADATA`, metadata('zope.interface', '6.0'));
    write(`${site}/six-1.16.0.egg-info`, metadata('six', '1.16.0'));
    write(`${site}/PyYAML-6.0.egg-info/PKG-INFO`, metadata('PyYAML', '6.0'));
    const options = [
      '-m',
      'pip',
      'list',
      '--disable-pip-version-check',
      '--format',
      'json',
      '--path',
      join(root, site),
    ];
    const listed: { name: string; version: string }[] = JSON.parse(
      execFileSync('python3', options).toString(),
    );
    const found = await packagesIn(root, 'pypi');
    const brief = (each: { name: string; version: string }): string => `${each.name} ${each.version}`;
    expect(found.map(brief).sort()).toEqual(listed.map(brief).sort());
    expect(found).toHaveLength(4);
  });
});
