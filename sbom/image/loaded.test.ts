import { describe, expect, it } from 'vitest';
import { catalogBlob } from '../layer/catalog-blob.ts';
import { blobOf, type SampleEntry, tarOf } from '../testing/archives.ts';
import { goProgram } from '../testing/programs.ts';
import { rawZip } from '../testing/raw-zip.ts';
import { fold } from './fold.ts';

/** The names of the packages of which a file ran, in an image of these layers. */
async function loaded(ran: readonly string[], ...layers: readonly (readonly SampleEntry[])[]) {
  const fragments = layers.map(async (entries) => (await catalogBlob(blobOf(await tarOf(entries)))).fragment);
  const { packages } = fold(await Promise.all(fragments), ran);
  return packages.filter((each) => each.loaded).map(({ name }) => name);
}

const stanza = (name: string, arch = 'amd64'): string =>
  `Package: ${name}\nVersion: 1\nArchitecture: ${arch}\n`;
const list = (name: string, ...files: readonly string[]): SampleEntry => ({
  name: `var/lib/dpkg/info/${name}.list`,
  content: files.map((file) => `${file}\n`).join(''),
});
const metadata = (name: string, folder: string): SampleEntry => ({
  name: `usr/lib/python3/site-packages/${folder}/METADATA`,
  content: `Name: ${name}\nVersion: 1.0\n`,
});

const SSL = 'usr/lib/x86_64-linux-gnu/libssl.so.3';
const debian: readonly SampleEntry[] = [
  { name: 'lib', type: 'symlink', linkname: 'usr/lib' },
  {
    name: 'var/lib/dpkg/status',
    content: [stanza('libssl3'), stanza('openssl'), stanza('libc6')].join('\n'),
  },
  list('libssl3:amd64', `/${SSL}`, '/usr/share/doc/libssl3/copyright'),
  list('openssl', '/usr/bin/openssl'),
  list('libc6:amd64', '/lib/x86_64-linux-gnu/libc.so.6'),
  { name: SSL, mode: 0o644 },
  { name: 'usr/share/doc/libssl3/copyright', mode: 0o644 },
  { name: 'usr/bin/openssl', mode: 0o755 },
  { name: 'usr/lib/x86_64-linux-gnu/libc.so.6', mode: 0o755 },
];

describe('the packages of which a file ran', () => {
  it('are those of the system that have put it there, also by way of the links that /usr was merged with', async () => {
    expect(await loaded([SSL], debian)).toEqual(['libssl3']);
    expect(await loaded(['usr/lib/x86_64-linux-gnu/libc.so.6', 'usr/bin/openssl'], debian)).toEqual([
      'libc6',
      'openssl',
    ]);
  });

  it('are those of the system also in images without dpkg, which have a list of checksums for each', async () => {
    const distroless: readonly SampleEntry[] = [
      { name: 'var/lib/dpkg/status.d/libssl3', content: stanza('libssl3') },
      { name: 'var/lib/dpkg/status.d/libssl3.md5sums', content: `${'0'.repeat(32)}  ${SSL}\n` },
      { name: 'var/lib/dpkg/status.d/libc6', content: stanza('libc6') },
      { name: SSL },
    ];
    expect(await loaded([SSL], distroless)).toEqual(['libssl3']);
  });

  it('are none where nothing ran, or only what the image does not have or nobody can run', async () => {
    expect(await loaded([], debian)).toEqual([]);
    expect(await loaded(['usr/bin/other', 'usr/bin', 'usr/share/doc/libssl3/copyright'], debian)).toEqual([]);
  });

  it('are no more those of the system once another layer has written over the file', async () => {
    expect(await loaded([SSL], debian, [{ name: SSL, mode: 0o644 }])).toEqual([]);
    expect(await loaded([SSL], debian, [{ name: 'usr/lib/x86_64-linux-gnu/.wh.libssl.so.3' }])).toEqual([]);
  });

  it('are those of the database that is in force, where an upper layer has renewed them', async () => {
    const upgrade: readonly SampleEntry[] = [
      { name: 'var/lib/dpkg/status', content: 'Package: libssl3\nVersion: 2\nArchitecture: amd64\n' },
      list('libssl3:amd64', `/${SSL}`),
      { name: SSL, mode: 0o644 },
    ];
    expect(await loaded([SSL], debian, upgrade)).toEqual(['libssl3']);
  });

  it('are those of the right architecture, of several', async () => {
    const both: readonly SampleEntry[] = [
      {
        name: 'var/lib/dpkg/status',
        content: [stanza('libz1', 'amd64'), stanza('libz1', 'i386')].join('\n'),
      },
      list('libz1:amd64', '/usr/lib/x86_64-linux-gnu/libz.so.1'),
      list('libz1:i386', '/usr/lib/i386-linux-gnu/libz.so.1'),
      { name: 'usr/lib/x86_64-linux-gnu/libz.so.1' },
      { name: 'usr/lib/i386-linux-gnu/libz.so.1' },
    ];
    expect(await loaded(['usr/lib/i386-linux-gnu/libz.so.1'], both)).toEqual(['libz1']);
  });

  it('are all that a program was built from, and an archive of classes has in it', async () => {
    const program = goProgram({
      toolchain: 'go1.22.3',
      modules: 'mod\ta.test/x\tv1.0.0\ndep\tb.test/y\tv1.0.0\n',
    });
    const image: readonly SampleEntry[] = [
      { name: 'app', content: program, mode: 0o755 },
      {
        name: 'other',
        content: goProgram({ toolchain: 'go1.22.3', modules: 'mod\tc.test/z\tv1.0.0\n' }),
        mode: 0o755,
      },
      { name: 'srv/guava-31.1-jre.jar', content: rawZip([]) },
    ];
    expect(await loaded(['app'], image)).toEqual(['a.test/x', 'b.test/y', 'stdlib']);
    expect(await loaded(['srv/guava-31.1-jre.jar'], image)).toEqual([expect.stringContaining('guava')]);
  });

  it('are those in whose own folder it lies, the innermost only', async () => {
    const manifest = (folder: string, name: string): SampleEntry => ({
      name: `${folder}/package.json`,
      content: JSON.stringify({ name, version: '1.0.0' }),
    });
    const image: readonly SampleEntry[] = [
      manifest('srv/node_modules/outer', 'outer'),
      manifest('srv/node_modules/outer/node_modules/inner', 'inner'),
      { name: 'srv/node_modules/outer/node_modules/inner/build/x.node' },
      { name: 'srv/main.node' },
      metadata('Charset.Normalizer', 'charset_normalizer-1.0.dist-info'),
      { name: 'usr/lib/python3/site-packages/charset_normalizer/md.so' },
      metadata('numpy', 'numpy-1.0.dist-info'),
      { name: 'usr/lib/python3/site-packages/numpy.libs/libopenblas.so' },
      { name: 'gems/specifications/nokogiri-1.0.gemspec', content: '# stub: nokogiri 1.0 ruby lib\n' },
      { name: 'gems/extensions/x86_64-linux/3.1.0/nokogiri-1.0/nokogiri.so' },
      { name: 'gems/gems/other-1.0/other.so' },
    ];
    const ran = image.map(({ name }) => name).filter((name) => /\.(so|node)$/.test(name));
    expect(await loaded(ran, image)).toEqual(['nokogiri', 'inner', 'Charset.Normalizer', 'numpy']);
  });
});
