import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ImageContents, ImagePackage } from '../image/image-contents.ts';
import { packageUrl } from '../image/package-url.ts';
import type { OsRelease } from '../os-release.ts';
import { type Package, type PackageType, packageTypes } from '../package.ts';
import { toCycloneDx } from './cyclonedx.ts';
import type { DescribedImage } from './described-image.ts';
import { readSbomDocument, type SbomDocument } from './read-document.ts';
import { toSpdx } from './spdx.ts';

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const read = (document: unknown): SbomDocument => readSbomDocument(Buffer.from(JSON.stringify(document)));

const cyclonedx = (components: readonly object[], metadata?: object) => ({
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  ...(metadata && { metadata }),
  components,
});
const spdx = (packages: readonly object[], more: object = {}) => ({
  spdxVersion: 'SPDX-2.3',
  SPDXID: 'SPDXRef-DOCUMENT',
  creationInfo: { created: '2026-01-01T00:00:00Z', creators: ['Tool: any'] },
  packages,
  ...more,
});
const withPurl = (name: string, purl: string, more: object = {}) => ({
  SPDXID: `SPDXRef-${name}`,
  name,
  externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
  ...more,
});
const library = (purl: string, more: object = {}) => ({
  type: 'library',
  name: 'any',
  version: '1',
  purl,
  ...more,
});
const properties = (values: Readonly<Record<string, string>>) => ({
  properties: Object.entries(values).map(([name, value]) => ({ name, value })),
});
const purls = ({ contents }: SbomDocument): string[] => contents.packages.map(({ purl }) => purl);

describe('an SBOM by Syft', () => {
  const document = cyclonedx(
    [
      library(
        'pkg:deb/debian/libssl3@3.0.11-1%2Bb1?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1',
        {
          name: 'libssl3',
          ...properties({
            'syft:package:type': 'deb',
            'syft:location:0:layerID': digest('a'),
            'syft:location:0:path': '/var/lib/dpkg/status',
            'syft:location:1:path': '/var/lib/dpkg/info/libssl3.md5sums',
          }),
        },
      ),
      library('pkg:rpm/redhat/bind-libs@9.16.23-1.el9?arch=x86_64&distro=debian-12&epoch=32'),
      { type: 'library', name: 'left-pad', version: '1.3.0', ...properties({ 'syft:package:type': 'npm' }) },
      {
        type: 'operating-system',
        name: 'debian',
        version: '12',
        description: 'Debian GNU/Linux 12 (bookworm)',
      },
      { type: 'file', name: '/var/lib/dpkg/status' },
    ],
    { component: { type: 'container', name: 'app', version: digest('1') } },
  );

  it('gives packages with their sources, places and layers, and the system', () => {
    const { contents, diffIds, digests, imageId, name } = read(document);
    expect({ digests, imageId, name, diffIds }).toEqual({
      digests: [digest('1')],
      imageId: undefined,
      name: 'app',
      diffIds: [digest('a')],
    });
    expect(contents.os).toEqual({
      id: 'debian',
      versionId: '12',
      prettyName: 'Debian GNU/Linux 12 (bookworm)',
    });
    expect(contents.packages[0]).toEqual({
      type: 'deb',
      name: 'libssl3',
      version: '3.0.11-1+b1',
      arch: 'amd64',
      source: { name: 'openssl', version: '3.0.11-1' },
      module: undefined,
      purl: 'pkg:deb/debian/libssl3@3.0.11-1%2Bb1?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1',
      layer: -1,
      locations: [
        { path: 'var/lib/dpkg/info/libssl3.md5sums', layer: -1, owned: false },
        { path: 'var/lib/dpkg/status', layer: 0, owned: false },
      ],
    });
  });

  it('keeps a component without a package URL that it says the kind of', () => {
    expect(purls(read(document))).toContain('pkg:npm/left-pad@1.3.0');
  });

  it('tells the sources of RPM packages by the names of their files', () => {
    const { contents } = read(
      cyclonedx([
        library(
          'pkg:rpm/redhat/bind-libs@9.16-1.el9?distro=rhel-9.3&epoch=32&upstream=bind-9.16-1.el9.src.rpm',
        ),
      ]),
    );
    expect(contents.os).toEqual({ id: 'rhel', versionId: '9.3' });
    expect(contents.packages).toMatchObject([
      { version: '32:9.16-1.el9', source: { name: 'bind', version: '32:9.16-1.el9' } },
    ]);
  });

  it('in SPDX gives the files that packages are evident by', () => {
    const { contents, diffIds, digests } = read(
      spdx(
        [
          withPurl('left-pad', 'pkg:npm/left-pad@1.3.0'),
          withPurl('root', `pkg:oci/app@sha256%3A${'1'.repeat(64)}`, { primaryPackagePurpose: 'CONTAINER' }),
        ],
        {
          files: [
            { SPDXID: 'SPDXRef-File', fileName: 'srv/package.json', comment: `layerID: ${digest('a')}` },
          ],
          relationships: [
            {
              spdxElementId: 'SPDXRef-left-pad',
              relationshipType: 'OTHER',
              relatedSpdxElement: 'SPDXRef-File',
            },
            {
              spdxElementId: 'SPDXRef-DOCUMENT',
              relationshipType: 'DESCRIBES',
              relatedSpdxElement: 'SPDXRef-root',
            },
          ],
        },
      ),
    );
    expect({ digests, diffIds }).toEqual({ digests: [digest('1')], diffIds: [digest('a')] });
    expect(contents.packages).toMatchObject([
      { name: 'left-pad', locations: [{ path: 'srv/package.json', layer: 0 }] },
    ]);
  });
});

describe('an SBOM by Trivy', () => {
  const ofTrivy = (values: Readonly<Record<string, string>>) =>
    properties(
      Object.fromEntries(Object.entries(values).map(([key, value]) => [`aquasecurity:trivy:${key}`, value])),
    );

  it("has Debian's releases by their first number, and sources and epochs in parts", () => {
    const document = read(
      cyclonedx(
        [
          { type: 'operating-system', name: 'debian', version: '12.5' },
          library('pkg:deb/debian/login@4.13-1%2Bb1?arch=amd64&distro=debian-12.5&epoch=1', {
            ...ofTrivy({
              SrcName: 'shadow',
              SrcVersion: '4.13',
              SrcRelease: '1',
              SrcEpoch: '1',
              LayerDiffID: digest('a'),
            }),
          }),
          {
            type: 'application',
            name: 'app/package-lock.json',
            ...ofTrivy({ Class: 'lang-pkgs', Type: 'npm' }),
          },
          library(
            'pkg:npm/ms@2.0.0',
            ofTrivy({ FilePath: 'app/node_modules/ms/package.json', LayerDiffID: digest('b') }),
          ),
        ],
        {
          component: {
            type: 'container',
            name: 'app',
            ...ofTrivy({ ImageID: digest('2'), RepoDigest: `app@${digest('1')}` }),
          },
        },
      ),
    );
    expect(document.contents.os).toEqual({ id: 'debian', versionId: '12', prettyName: undefined });
    expect(purls(document)).toEqual([
      'pkg:deb/debian/login@1:4.13-1%2Bb1?arch=amd64&distro=debian-12&upstream=shadow%401:4.13-1',
      'pkg:npm/ms@2.0.0',
    ]);
    expect(document).toMatchObject({
      imageId: digest('2'),
      digests: [digest('1')],
      contents: { problems: [] },
    });
  });

  it("leaves Alpine's name out of the distribution", () => {
    const document = read(cyclonedx([library('pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=3.19.1')]));
    expect(document.contents.os).toMatchObject({ id: 'alpine', versionId: '3.19.1' });
  });

  it('in SPDX tells the image, the system and the sources in its own words', () => {
    const document = read(
      spdx([
        {
          SPDXID: 'SPDXRef-Image',
          name: 'app',
          primaryPackagePurpose: 'CONTAINER',
          attributionTexts: [`ImageID: ${digest('2')}`],
        },
        {
          SPDXID: 'SPDXRef-OS',
          name: 'debian',
          versionInfo: '12.5',
          primaryPackagePurpose: 'OPERATING-SYSTEM',
        },
        withPurl('libssl3', 'pkg:deb/debian/libssl3@3.0.11-1', {
          sourceInfo: 'built package from: openssl 3.0.11-1',
        }),
      ]),
    );
    expect(document.imageId).toBe(digest('2'));
    expect(purls(document)).toEqual(['pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12&upstream=openssl']);
  });
});

describe('an SBOM of any tool', () => {
  it('has components in components', () => {
    const nested = {
      type: 'application',
      name: 'outer',
      version: '1',
      components: [library('pkg:npm/inner@1')],
    };
    expect(
      purls(
        read(
          cyclonedx([nested], {
            component: { type: 'container', name: 'x', components: [library('pkg:npm/first@1')] },
          }),
        ),
      ),
    ).toEqual(['pkg:npm/first@1', 'pkg:npm/inner@1']);
  });

  it('has the program that it was written for among the packages', () => {
    const component = { type: 'application', name: 'app', purl: 'pkg:npm/app@1' };
    expect(purls(read(cyclonedx([library('pkg:npm/ms@1')], { component })))).toEqual([
      'pkg:npm/app@1',
      'pkg:npm/ms@1',
    ]);
    const described = spdx([withPurl('app', 'pkg:npm/app@1')], { documentDescribes: ['SPDXRef-app'] });
    expect(purls(read(described))).toEqual(['pkg:npm/app@1']);
  });

  it('may have packages of types that are not known here', () => {
    expect(
      read(cyclonedx([library('pkg:swift/github.com/Apple/swift-nio@2.0?b=2&a=1')])).contents.packages,
    ).toMatchObject([
      {
        type: 'swift',
        name: 'github.com/Apple/swift-nio',
        purl: 'pkg:swift/github.com/Apple/swift-nio@2.0?a=1&b=2',
      },
    ]);
  });

  it('has what cannot be told told', () => {
    const { contents } = read(
      cyclonedx([
        { type: 'library', name: 'nameless' },
        library('left-pad@1'),
        library('pkg:npm/left-pad'),
        library('pkg:cargo/space/serde@1'),
        library('pkg:maven/a%3Ab/c@1'),
        library('pkg:npm/a%07b@1'),
        library('pkg:deb/debian/bash@5?distro=debian-12'),
        library('pkg:deb/debian/zlib@5?distro=debian-12'),
        library('pkg:deb/ubuntu/curl@7?distro=ubuntu-22.04'),
        library(`pkg:npm/${encodeURIComponent('\u6f22'.repeat(200))}@1`),
        library(`pkg:swift/nio@1?a=${'b'.repeat(1_200)}`),
      ]),
    );
    expect(contents.packages).toHaveLength(2);
    expect(contents.problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'document.components[0]: nameless is left out: it has no package URL',
      'document.components[1]: any is left out: its package URL is not one',
      'document.components[2]: any is left out: it has no version',
      'document.components[3]: any is left out: its package URL has parts that its type has not',
      'document.components[4]: any is left out: its package URL has parts that its type has not',
      'document.components[5]: any is left out: its name or version is too long, or cannot be printed',
      'document.components[8]: any is left out: it is of another system than debian 12',
      'document.components[9]: any is left out: its package URL would have more than 1200 bytes',
      'document.components[10]: any is left out: its package URL would have more than 1200 bytes',
    ]);
  });

  it('names one package once, with all its places', () => {
    const at = (location: string) => library('pkg:npm/ms@1', { evidence: { occurrences: [{ location }] } });
    expect(read(cyclonedx([at('/b'), at('./a'), at('/b')])).contents.packages).toMatchObject([
      { locations: [{ path: 'a' }, { path: 'b' }] },
    ]);
  });

  it.each<[string, unknown, string, RegExp]>([
    [
      'of SPDX 3',
      { '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld', '@graph': [] },
      'document_unsupported',
      /SPDX 3/,
    ],
    ['of no format', { artifacts: [] }, 'document_unsupported', /neither bomFormat nor spdxVersion/],
    ['that is a list', [], 'document_invalid', /document is not an object/],
    [
      'of CycloneDX 9',
      { bomFormat: 'CycloneDX', specVersion: '9' },
      'document_invalid',
      /document\.specVersion is not one of 1\.2, .*1\.7/,
    ],
    ['of SPDX 2.1', { spdxVersion: 'SPDX-2.1' }, 'document_invalid', /document\.spdxVersion/],
    [
      'with a nameless component',
      cyclonedx([{ type: 'library' }]),
      'document_invalid',
      /document\.components\[0\]\.name is not/,
    ],
    [
      'with a number as a URL',
      cyclonedx([library(1 as never)]),
      'document_invalid',
      /document\.components\[0\]\.purl is not a text/,
    ],
    [
      'with a package that is a text',
      spdx(['x' as never]),
      'document_invalid',
      /document\.packages\[0\] is not an object/,
    ],
  ])('is refused %s, and it says where', (_what, document, code, message) => {
    expect(() => read(document)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it.each<[string, Buffer, string]>([
    ['XML', Buffer.from('<bom xmlns="http://cyclonedx.org/schema/bom/1.5"/>'), 'document_invalid'],
    ['not UTF-8', Buffer.from('{"bomFormat":"CycloneDX\xff"}', 'latin1'), 'document_invalid'],
    ['cut short in a text', Buffer.from('{"bomFormat":"Cyc\\'), 'document_invalid'],
    ['nested without end', Buffer.from('['.repeat(1_000_000)), 'document_too_large'],
    ['full of nothing', Buffer.from(`[${'[],'.repeat(1_500_000)}[]]`), 'document_too_large'],
    ['huge', Buffer.alloc(17 * 1024 * 1024, ' '), 'document_too_large'],
  ])('is refused if it is %s', (_what, bytes, code) => {
    expect(() => readSbomDocument(bytes)).toThrow(expect.objectContaining({ code }));
  });

  it('is not taken for deep by brackets in texts', () => {
    expect(
      purls(read(cyclonedx([library('pkg:npm/ms@1', { description: `"\\${'['.repeat(500)}` })]))),
    ).toEqual(['pkg:npm/ms@1']);
  });

  it('ends in a document or in a coded error, whatever it holds', () => {
    const head = fc.constantFrom({ bomFormat: 'CycloneDX', specVersion: '1.6' }, { spdxVersion: 'SPDX-2.3' });
    const names = [
      'components',
      'packages',
      'metadata',
      'component',
      'name',
      'purl',
      'type',
      'properties',
      'externalRefs',
    ];
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.string(),
        fc.integer(),
        fc.constant(null),
        fc.array(tie('any')),
        tie('object'),
      ),
      object: fc.dictionary(fc.constantFrom(...names), tie('any')),
    }));
    fc.assert(
      fc.property(head, value.object, (start, rest) => {
        try {
          read({ ...(rest as object), ...start });
        } catch (error) {
          expect(error).toMatchObject({ name: 'SbomError' });
        }
      }),
    );
  });
});

describe('what we write', () => {
  // With all that means something in a package URL.
  const part = fc.string({ unit: fc.constantFrom(...'aZ09.-_~+%&=?#@ üß'), minLength: 1, maxLength: 8 });
  const plain = fc.string({ unit: fc.constantFrom(...'az09.-~+ ü'), minLength: 1, maxLength: 8 });
  const names: Readonly<Partial<Record<PackageType, fc.Arbitrary<string>>>> = {
    composer: fc.tuple(part, part).map((parts) => parts.join('/')),
    golang: fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    maven: fc.array(part, { minLength: 1, maxLength: 2 }).map((parts) => parts.join(':')),
    npm: fc.array(part, { minLength: 1, maxLength: 2 }).map((parts) => parts.join('/')),
  };
  const source = fc.option(fc.record({ name: plain, version: plain }), { nil: undefined });
  const packages = fc.constantFrom(...packageTypes).chain((type): fc.Arbitrary<Package> => {
    const isRpm = type === 'rpm';
    const isSystem = isRpm || type === 'deb' || type === 'apk';
    return fc.record({
      type: fc.constant(type),
      name: names[type] ?? part,
      version: isRpm ? fc.constantFrom('1.0-1', '3:2.0-1.el9', '1~rc1-0') : part,
      arch: isSystem ? fc.option(plain, { nil: undefined }) : fc.constant(undefined),
      source: isSystem ? source : fc.constant(undefined),
      module: isRpm ? fc.option(plain, { nil: undefined }) : fc.constant(undefined),
    });
  });
  const systems = fc.constantFrom<OsRelease | undefined>(
    undefined,
    { id: 'debian', versionId: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)' },
    { id: 'alpine', versionId: '3.19.1' },
    { id: 'opensuse-leap', versionId: '15.5' },
    { id: 'alpine', versionId: 'edge' },
    { id: 'arch' },
  );
  const diffIds = [digest('a'), digest('b')];
  const images = fc
    .record({ os: systems, found: fc.array(packages, { maxLength: 10 }), layer: fc.nat(1) })
    .map(({ os, found, layer }): DescribedImage => {
      const byPurl = new Map(
        found.map((each): [string, ImagePackage] => {
          const purl = packageUrl(each, os);
          return [
            purl,
            { ...each, purl, layer, locations: [{ path: `var/lib/${each.type}`, layer, owned: false }] },
          ];
        }),
      );
      const contents: ImageContents = {
        os,
        packages: [...byPurl.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1)),
        problems: [],
      };
      return { name: 'app:1', digest: digest('1'), diffIds, contents };
    });

  /** What of a package has to come back; an own spelling of Python's names is lost, and a layer's place among the others. */
  const essence = (each: ImagePackage, layers: readonly string[]) => ({
    purl: each.purl,
    type: each.type,
    name: each.type === 'pypi' ? each.name.toLowerCase().replaceAll(/[-_.]+/g, '-') : each.name,
    version: each.version,
    arch: each.arch,
    module: each.module,
    source: each.source?.name === each.name && each.source.version === each.version ? undefined : each.source,
    places: each.locations.map(({ path, layer }) => `${path} ${layers[layer]}`),
  });

  it.each([
    ['CycloneDX', toCycloneDx],
    ['SPDX', toSpdx],
  ])('as %s gives the same image when it is read', (_format, write) => {
    fc.assert(
      fc.property(images, (image) => {
        const document = readSbomDocument(Buffer.from(write(image)));
        expect(document.contents.packages.map((each) => essence(each, document.diffIds))).toEqual(
          image.contents.packages.map((each) => essence(each, image.diffIds)),
        );
        expect(document).toMatchObject({ imageId: image.digest, contents: { problems: [] } });
        expect(document.contents.os).toEqual(image.contents.os);
      }),
    );
  });

  it('marks Go programs without a version when it is read', () => {
    const each: Package = { type: 'golang', name: 'example.test/tool', version: '(devel)', unreleased: true };
    const purl = packageUrl(each);
    const contents = { os: undefined, packages: [{ ...each, purl, layer: 0, locations: [] }], problems: [] };
    const written = toCycloneDx({ name: 'x', digest: undefined, diffIds: [], contents });
    expect(readSbomDocument(Buffer.from(written)).contents.packages).toMatchObject([each]);
  });
});
