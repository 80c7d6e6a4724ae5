import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CATALOGER_VERSION, readSbomDocument, toCycloneDx } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oldestUploadedOnly } from '../../core/datastore/uploaded-sboms.ts';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import { run } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';
import {
  bring,
  debian,
  describe as describeImage,
  digestOf,
  imageOf,
  layerOf,
  npmPackage,
  uploadOf,
} from './layers.ts';
import { type RunningCore, startRunningCore, tokenOf, Watcher } from './running-core.ts';

let running: RunningCore;
let feeds: FeedsFolder;

beforeAll(async () => {
  feeds = await makeFeedsFolder();
  running = await startRunningCore({ feeds: feeds.path });
  await eventually(
    async () => {
      const answer = (await (await fetch(`${running.api}/feeds`)).json()) as {
        feeds: { importedAt: string | null }[];
      };
      expect(answer.feeds.filter(({ importedAt }) => importedAt !== null)).toHaveLength(5);
    },
    { what: 'the feeds to be imported' },
  );
});

afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await feeds?.[Symbol.asyncDispose]();
});

const watch = (): Watcher => new Watcher().follow(running.webhook);

const MINIMIST = { type: 'library', name: 'minimist', version: '1.2.0', purl: 'pkg:npm/minimist@1.2.0' };
const MS = { type: 'library', name: 'ms', version: '2.0.0', purl: 'pkg:npm/ms@2.0.0' };

/** As Syft writes it, which calls an image by its manifest. */
function cyclonedx(components: readonly object[], manifest?: string): string {
  const component = { type: 'container', name: 'app', version: manifest };
  return JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', metadata: { component }, components });
}

/** A digest that nobody else has. */
let count = 0;
const unheardOf = (): string => digestOf(Buffer.from(`manifest ${count++}`));

async function put(image: string, document: string, options: { token?: string; type?: string } = {}) {
  const { token = 'ci', type = 'application/vnd.cyclonedx+json' } = options;
  const response = await fetch(`${running.api}/images/${image}/sbom`, {
    method: 'PUT',
    headers: { 'content-type': type, ...(token !== '' && { authorization: `Bearer ${token}` }) },
    body: document,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function get(image: string, format: string): Promise<Response> {
  const headers = { authorization: 'Bearer ann' };
  return fetch(`${running.api}/images/${image}/sbom?format=${format}`, { headers });
}

/** Waits until there is no work left that could change anything. */
async function untilIdle(): Promise<void> {
  const { jobs, database } = running.core.app;
  await eventually(async () => expect(await jobs.pending(database)).toEqual([]), {
    what: 'the work to be done',
  });
}

async function shown(image: string): Promise<unknown> {
  return (await fetch(`${running.api}/image?name=${image}`)).json();
}

describe('gatehouse sbom upload', () => {
  const gatehouse = path.resolve(import.meta.dirname, '..', '..', 'node_modules', '.bin', 'gatehouse');
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-upload-'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function upload(document: string, flags: readonly string[], token = 'ci') {
    const file = path.join(folder, 'app.cdx.json');
    await writeFile(file, document);
    const core = ['--core', new URL(running.api).origin];
    const env = { ...process.env, GATEHOUSE_TOKEN: token };
    return run([gatehouse, 'sbom', 'upload', file, ...core, ...flags], { env });
  }

  it('says what became of it', async () => {
    const image = unheardOf();
    const document = cyclonedx([MINIMIST, { type: 'library', name: 'mystery' }]);
    expect(await upload(document, ['--image', image])).toMatchObject({
      code: 0,
      stdout: `${image}: 1 package, 1 component left out\n`,
      stderr: expect.stringContaining('mystery is left out: it has no package URL'),
    });
    expect((await upload(document, ['--image', image])).stdout).toContain('as before');
  });

  it('takes the image from the SBOM, where that says it', async () => {
    const contents = { os: undefined, packages: [], problems: [] };
    const digest = unheardOf();
    const ours = JSON.parse(toCycloneDx({ name: 'app:1', digest, diffIds: [], contents }));
    const { code, stdout } = await upload(JSON.stringify({ ...ours, components: [MS] }), []);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${digest}: 1 package\n` });
  });

  it.each<[string, readonly string[], string, number, string]>([
    ['no image', [], 'ci', 2, 'Give it as --image sha256:'],
    ['what is no digest', ['--image', 'app:1'], 'ci', 2, 'expected a digest'],
    ['a token that may not', ['--image', unheardOf()], 'ann', 1, 'token of gatehouse-sbom-uploader'],
    [
      'a token of nobody',
      ['--image', unheardOf()],
      'nobody',
      1,
      'kubectl create token gatehouse-sbom-uploader',
    ],
    [
      'a core that is away',
      ['--image', unheardOf(), '--core', 'http://127.0.0.1:1'],
      'ci',
      1,
      'Give its address as --core',
    ],
    ['a core that is no URL', ['--image', unheardOf(), '--core', 'localhost'], 'ci', 2, 'expected a URL'],
  ])('says how to mend %s', async (_what, flags, token, code, message) => {
    const result = await upload(cyclonedx([MS]), flags, token);
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
  });
});

describe('an SBOM that was made elsewhere', () => {
  it('judges an image that no node has, in part only, and it shows by whose word', async () => {
    await using watcher = watch();
    const image = imageOf(await layerOf(debian())).digest;
    const mystery = { type: 'library', name: 'mystery' };
    expect(await put(image, cyclonedx([MINIMIST, mystery], unheardOf()))).toEqual({
      status: 200,
      body: {
        image,
        format: 'cyclonedx',
        specVersion: '1.6',
        packages: 1,
        leftOut: 1,
        leftOutExamples: ['document.components[1]: mystery is left out: it has no package URL'],
        changed: true,
      },
    });
    expect(await watcher.until(image, () => true)).toMatchObject({
      state: 'partial',
      fixable: { critical: 1 },
    });
    expect(await shown(image)).toMatchObject({
      source: 'upload',
      packages: 1,
      reason: expect.stringContaining('an SBOM that ci uploaded at 20'),
    });
  });

  it('judges packages without a place by their own advisories beside those of a system', async () => {
    await using watcher = watch();
    const image = unheardOf();
    const bash = {
      type: 'library',
      name: 'bash',
      version: '5',
      purl: 'pkg:deb/debian/bash@5?distro=debian-12',
    };
    await put(image, cyclonedx([bash, MINIMIST]));
    expect(await watcher.until(image, () => true)).toMatchObject({
      os: { id: 'debian', versionId: '12' },
      fixable: { critical: 1 },
    });
  });

  it('stands back as soon as a node has read the image, and stays behind', async () => {
    await using watcher = watch();
    const image = imageOf(await layerOf({ ...debian(), ...npmPackage('minimist', '1.2.0') }));
    await put(image.digest, cyclonedx([MS]));
    await watcher.until(image.digest, ({ state, fixable }) => state === 'partial' && fixable.critical === 0);
    await bring(running.agents.n1, image);
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 1);
    expect(await shown(image.digest)).toMatchObject({ source: 'layers', reason: null });

    expect((await put(image.digest, cyclonedx([MS, MS]))).body).toMatchObject({ changed: true });
    await untilIdle();
    expect(watcher.verdictOf(image.digest)).toMatchObject({ state: 'ready', fixable: { critical: 1 } });
  });

  it('does not displace what nodes have read, though there turns out to be more of the image', async () => {
    await using watcher = watch();
    const base = await layerOf(npmPackage('minimist', '1.2.0'));
    const image = imageOf(base, await layerOf({ 'srv/more': 'of it' }));
    const { n1, n2 } = running.agents;
    const unproven = { ...describeImage(image), diffIds: [base.diffId], config: new Uint8Array() };
    await n1.missingLayers(unproven, CATALOGER_VERSION);
    await n1.uploadLayer(await uploadOf(image, base.diffId));
    await watcher.until(image.digest, ({ fixable }) => fixable.critical === 1);
    await n2.missingLayers(describeImage(image), CATALOGER_VERSION);
    await put(image.digest, cyclonedx([MS]));
    await untilIdle();
    expect(await shown(image.digest)).toMatchObject({ source: 'layers', packages: 1 });
    expect(watcher.verdictOf(image.digest)).toMatchObject({ fixable: { critical: 1 } });
  });

  it('stands where layers could not be read, until a node can', async () => {
    await using watcher = watch();
    const image = imageOf(await layerOf({ ...debian(), ...npmPackage('ms', '2.0.0') }));
    const { n1, n2 } = running.agents;
    const [diffId = ''] = (await n1.missingLayers(describeImage(image), CATALOGER_VERSION)).diffIds;
    await n1.reportUnreadableLayer({ diffId, catalogerVersion: CATALOGER_VERSION, reason: 'no' });
    await watcher.until(image.digest, ({ state }) => state === 'failed');
    await put(image.digest, cyclonedx([MINIMIST]));
    await watcher.until(image.digest, ({ state, fixable }) => state === 'partial' && fixable.critical === 1);
    await bring(n2, image);
    await watcher.until(image.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 0);
  });

  it('can be for the digest of a manifest, and no node can take it away by saying whose that is', async () => {
    await using watcher = watch();
    const manifest = unheardOf();
    await put(manifest, cyclonedx([MINIMIST], manifest));
    await watcher.until(manifest, ({ state }) => state === 'partial');
    const clean = imageOf(await layerOf({ ...debian(), 'srv/clean': 'x' }));
    const name = `registry.test/over@${manifest}`;
    await bring(running.agents.n2, clean, [name]);
    await watcher.until(clean.digest, ({ state, fixable }) => state === 'ready' && fixable.critical === 0);
    await untilIdle();
    // The digest names both of them, so the worst of the two counts.
    expect(watcher.aliasesOf(clean.digest)).toContain(name);
    expect(watcher.verdictOf(manifest)).toMatchObject({ state: 'partial', fixable: { critical: 1 } });
    expect(await shown(clean.digest)).toMatchObject({ source: 'layers', reason: null });
  });

  it('for the digest of a manifest makes way for one that says which image that is of', async () => {
    await using watcher = watch();
    const manifest = unheardOf();
    const image = imageOf(await layerOf({ ...debian(), 'srv/said': 'x' }));
    await put(manifest, cyclonedx([MINIMIST], manifest));
    await watcher.until(manifest, ({ state }) => state === 'partial');
    await bring(running.agents.n1, image, [`registry.test/said@${manifest}`]);
    await watcher.until(image.digest, ({ state }) => state === 'ready');
    const properties = [{ name: 'aquasecurity:trivy:ImageID', value: image.digest }];
    const component = { type: 'container', name: 'app', version: manifest, properties };
    const document = { ...JSON.parse(cyclonedx([MS])), metadata: { component } };
    expect((await put(manifest, JSON.stringify(document))).body).toMatchObject({ image: image.digest });
    await expect
      .poll(() => watcher.told.findLast((each) => each.image === manifest)?.verdict)
      .toBeUndefined();
    expect(await shown(image.digest)).toMatchObject({ source: 'layers' });
  });

  it('is asked for by the node that has the image, though it is known', async () => {
    const image = imageOf(await layerOf({ ...debian(), 'srv/asked': 'for' }));
    await put(image.digest, cyclonedx([MS]));
    const report = { runtime: 'test', images: [{ digest: image.digest, aliases: [] }], containers: [] };
    expect(await running.agents.n2.reportNode(report)).toContain(image.digest);
    expect(await bring(running.agents.n2, image)).toEqual(image.layers.map(({ diffId }) => diffId));
  });

  it('is replaced by the next one, and is no news when it comes again', async () => {
    await using watcher = watch();
    const image = unheardOf();
    const first = cyclonedx([MINIMIST]);
    expect((await put(image, first)).body).toMatchObject({ changed: true });
    expect((await put(image, first)).body).toMatchObject({ changed: false });
    await watcher.until(image, ({ fixable }) => fixable.critical === 1);
    expect((await put(image, cyclonedx([MS]))).body).toMatchObject({ changed: true });
    await watcher.until(image, ({ fixable }) => fixable.critical === 0);
  });

  it('leaves a trace of who uploaded what, though only the newest document is kept', async () => {
    const image = unheardOf();
    await put(image, cyclonedx([MS]));
    await put(image, cyclonedx([MINIMIST]), { token: '' });
    const uploads = await running.core.app.database.query(
      `select uploaded_by, digest, document is not null as kept from gatehouse.uploaded_sboms where image = $1 order by id`,
      [image],
    );
    expect(uploads).toEqual([
      { uploaded_by: 'ci', digest: digestOf(Buffer.from(cyclonedx([MS]))), kept: false },
      { uploaded_by: 'this machine', digest: digestOf(Buffer.from(cyclonedx([MINIMIST]))), kept: true },
    ]);
  });

  it('is forgotten in its turn while no node has the image, and in none that one has', async () => {
    const read = imageOf(await layerOf({ ...debian(), 'srv/read': 'x' }));
    await bring(running.agents.n1, read);
    await put(read.digest, cyclonedx([MS]));
    const [older, newer] = [unheardOf(), unheardOf()];
    await put(older, cyclonedx([MS]));
    await put(newer, cyclonedx([MS]));
    const surplus = await oldestUploadedOnly(running.core.app.database, { beyond: 1 });
    expect(surplus).toContain(older);
    expect(surplus).not.toContain(newer);
    expect(surplus).not.toContain(read.digest);
  });

  it('waits for its turn where many come at once', async () => {
    const refused = Promise.withResolvers<number | undefined>();
    const slow = Array.from({ length: 3 }, () => {
      const headers = {
        'content-type': 'application/json',
        'content-length': 10,
        authorization: 'Bearer ci',
      };
      const sent = request(`${running.api}/images/${unheardOf()}/sbom`, { method: 'PUT', headers });
      sent.on('error', () => undefined);
      sent.on('response', ({ statusCode }) => refused.resolve(statusCode));
      sent.write('{');
      return sent;
    });
    const attempt = () => put(unheardOf(), cyclonedx([MS]));
    try {
      expect(await refused.promise).toBe(503);
      expect(await attempt()).toMatchObject({ status: 503, body: { title: 'busy' } });
    } finally {
      for (const each of slow) each.destroy();
    }
    await eventually(async () => expect((await attempt()).status).toBe(200), { what: 'its turn' });
  });

  it('is given back as it came, and in either format what the image holds', async () => {
    await using watcher = watch();
    const image = imageOf(await layerOf({ ...debian('bash 5'), ...npmPackage('ms', '2.0.0') }));
    const document = ` ${cyclonedx([MINIMIST])}`;
    await put(image.digest, document);
    await watcher.until(image.digest, () => true);
    const original = await get(image.digest, 'original');
    expect(original.headers.get('content-type')).toBe('application/vnd.cyclonedx+json');
    expect(await original.text()).toBe(document);

    const purls = async (format: string): Promise<string[]> => {
      const { contents } = readSbomDocument(
        Buffer.from(await (await get(image.digest, format)).arrayBuffer()),
      );
      return contents.packages.map(({ purl }) => purl);
    };
    expect(await purls('spdx')).toEqual([MINIMIST.purl]);
    await bring(running.agents.n1, image);
    await watcher.until(image.digest, ({ state }) => state === 'ready');
    for (const format of ['spdx', 'cyclonedx']) {
      expect(await purls(format)).toEqual([
        'pkg:deb/debian/bash@5?arch=amd64&distro=debian-12',
        'pkg:npm/ms@2.0.0',
      ]);
    }
    expect(await (await get(image.digest, 'original')).text()).toBe(document);
    expect((await get(unheardOf(), 'spdx')).status).toBe(404);
  });

  it('is refused where it is about another image', async () => {
    await using watcher = watch();
    const manifest = unheardOf();
    const image = imageOf(await layerOf({ ...debian('bash 5'), 'srv/known': 'x' }));
    await bring(running.agents.n1, image, [`registry.test/known@${manifest}`]);
    const refused = {
      status: 409,
      body: { title: 'sbom_of_another_image', detail: expect.stringContaining(image.digest) },
    };
    expect(await put(unheardOf(), cyclonedx([MS], manifest))).toMatchObject(refused);
    expect(await put(unheardOf(), cyclonedx([MS], image.digest))).toMatchObject(refused);
    await watcher.until(image.digest, () => true);
    const ours = await (await get(image.digest, 'cyclonedx')).text();
    expect(await put(unheardOf(), ours)).toMatchObject(refused);
    expect(await put(image.digest, cyclonedx([MS], manifest))).toMatchObject({ status: 200 });
  });

  it.each<[string, string, string, RegExp]>([
    ['is no SBOM', '{"a":1}', 'sbom_invalid', /neither bomFormat nor spdxVersion.*CycloneDX 1\.2 to 1\.7/],
    ['is broken', cyclonedx([{ type: 'library' }]), 'sbom_invalid', /document\.components\[0\]\.name/],
    ['names no package', cyclonedx([]), 'sbom_invalid', /names no package/],
    ['is cut short', cyclonedx([MS]).slice(0, -5), 'sbom_invalid', /not JSON/],
  ])('is refused if it %s', async (_what, document, title, detail) => {
    expect(await put(unheardOf(), document)).toMatchObject({
      status: 400,
      body: { title, detail: expect.stringMatching(detail) },
    });
  });

  it('is refused if it is larger than is read, or not said to be JSON', async () => {
    expect((await put(unheardOf(), ' '.repeat(17 * 1024 * 1024))).status).toBe(413);
    expect((await put(unheardOf(), '<bom/>', { type: 'application/xml' })).status).toBe(415);
  });

  it('takes a right of its own, which gives no other', async () => {
    const image = unheardOf();
    const document = cyclonedx([MS]);
    for (const token of ['ann', tokenOf('n1'), tokenOf('webhook')])
      expect((await put(image, document, { token })).status).toBe(403);
    expect((await put(image, document, { token: 'nobody' })).status).toBe(401);
    expect((await get(image, 'original')).status).toBe(404);
    const headers = { authorization: 'Bearer ci' };
    expect((await fetch(`${running.api}/images`, { headers })).status).toBe(403);
    expect((await fetch(`${running.api}/images/${image}/sbom`, { headers })).status).toBe(403);
    // On one's own machine, as whoever starts Gatehouse there.
    expect((await put(image, document, { token: '', type: 'application/json' })).status).toBe(200);
  });
});
