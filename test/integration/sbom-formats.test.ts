import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, type Image } from '../harness/images.ts';
import { run, runOk } from '../harness/process.ts';
import { need } from '../harness/tools.ts';
import { npmPackage, OS_RELEASE } from './layers.ts';

const gatehouse = path.resolve(import.meta.dirname, '..', '..', 'node_modules', '.bin', 'gatehouse');
/** The reference validator of the SPDX project. */
const SPDX_TOOLS = 'spdx-tools==0.8.5';

let folder: string;
let image: Image;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-sbom-'));
  const layers = [
    {
      ...OS_RELEASE,
      'var/lib/dpkg/status.d/libc6': 'Package: libc6\nVersion: 2.36-9+deb12u4\nSource: glibc\n',
    },
    { ...npmPackage('@scope/name', '1.0.0'), ...npmPackage('minimist', '1.2.0') },
  ];
  const folders = await Promise.all(
    layers.map(async (files, index) => {
      const root = path.join(folder, `layer-${index}`);
      for (const [name, content] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(root, name)), { recursive: true });
        await writeFile(path.join(root, name), content);
      }
      return { folder: root };
    }),
  );
  image = await buildImage(path.join(folder, 'image'), { name: 'registry.test/app:1', layers: folders });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const sbom = (source: string, format: string): Promise<string> =>
  runOk([gatehouse, 'sbom', source, '-o', format]);

describe('gatehouse sbom', () => {
  it('prints CycloneDX that its schema accepts, with files and layers as evidence', async () => {
    const text = await sbom(`oci-dir:${image.folder}`, 'cyclonedx-json');
    const problem = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
    expect(problem).toBeNull();
    const { metadata, components } = JSON.parse(text);
    expect(metadata.component).toMatchObject({ name: 'registry.test/app:1', version: image.id });
    const [, minimist] = components.filter(({ purl = '' }) => purl.startsWith('pkg:npm/'));
    expect(minimist).toMatchObject({
      purl: 'pkg:npm/minimist@1.2.0',
      evidence: {
        occurrences: [
          {
            location: 'srv/node_modules/minimist/package.json',
            additionalContext: expect.stringMatching(/^sha256:/),
          },
        ],
      },
    });
  });

  it('prints SPDX that the tools of its makers accept', async () => {
    const { pip } = await need('pip');
    const site = path.join(folder, 'site');
    await runOk([pip, 'install', '--quiet', '--target', site, SPDX_TOOLS]);
    const file = path.join(folder, 'app.spdx.json');
    await writeFile(file, await sbom(`oci-dir:${image.folder}`, 'spdx-json'));
    const validator = ['python3', '-m', 'spdx_tools.spdx.clitools.pyspdxtools', '--infile', file];
    expect(await run(validator, { env: { PYTHONPATH: site } })).toMatchObject({ code: 0 });
  });

  it('says the same of the same image, byte by byte, and of its folder', async () => {
    for (const format of ['cyclonedx-json', 'spdx-json', 'purls']) {
      const source = `oci-dir:${image.folder}`;
      expect(await sbom(source, format)).toBe(await sbom(source, format));
    }
    const purls = await sbom(`dir:${path.join(folder, 'layer-1')}`, 'purls');
    expect(purls.split('\n')).toEqual(['pkg:npm/%40scope/name@1.0.0', 'pkg:npm/minimist@1.2.0', '']);
  });

  it.each(['cyclonedx-json', 'spdx-json'])(
    'reads what Syft says of the image in %s as the same',
    async (format) => {
      const { syft } = await need('syft');
      const file = path.join(folder, `syft.${format}`);
      const env = { ...process.env, SYFT_CHECK_FOR_APP_UPDATE: 'false', HOME: folder };
      await writeFile(
        file,
        await runOk([syft, 'scan', '--output', format, `oci-dir:${image.folder}`], { env }),
      );
      const ours = await sbom(`oci-dir:${image.folder}`, 'purls');
      expect(ours.split('\n')).toHaveLength(4);
      expect(await sbom(`sbom:${file}`, 'purls')).toBe(ours);
    },
  );

  it('turns an SBOM into another format, and says on stderr what it leaves out', async () => {
    const file = path.join(folder, 'app.cdx.json');
    const document = JSON.parse(await sbom(`oci-dir:${image.folder}`, 'cyclonedx-json'));
    document.components.push({ type: 'library', name: 'mystery', version: '1' });
    await writeFile(file, JSON.stringify(document));
    const converted = await run([gatehouse, 'sbom', `sbom:${file}`, '-o', 'spdx-json']);
    expect(converted.stderr).toContain('mystery is left out: it has no package URL');
    await writeFile(file, converted.stdout);
    expect(await sbom(`sbom:${file}`, 'purls')).toBe(await sbom(`oci-dir:${image.folder}`, 'purls'));
  });

  it.each([
    ['no source', [], 2, 'sbom takes one image'],
    ['a source of a kind that does not exist', ['tape:x'], 1, 'dir:PATH'],
    ['an SBOM that is not there', ['sbom:/no/such'], 1, 'the SBOM /no/such cannot be read'],
    ['a file that is no SBOM', [`sbom:${import.meta.filename}`], 1, 'not JSON'],
    ['a folder that is not there', ['dir:/no/such'], 1, 'there is no folder /no/such'],
    ['a format that does not exist', ['dir:/etc', '-o', 'xml'], 2, 'expected one of cyclonedx-json'],
  ])('says what is wrong with %s', async (_what, args, code, message) => {
    const result = await run([gatehouse, 'sbom', ...args]);
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
  });
});
