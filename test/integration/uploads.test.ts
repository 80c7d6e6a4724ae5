import { randomBytes } from 'node:crypto';
import { CATALOGER_VERSION, encodeFragment } from '@gatehouse/sbom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sweepUploads } from '../../core/datastore/kept-uploads.ts';
import { startTcpProxy, type TcpProxy } from '../harness/tcp-proxy.ts';
import { eventually } from '../harness/wait.ts';
import { describe as describeImage, digestOf, imageOf, layerOf, type TestImage } from './layers.ts';
import { type RunningCore, startRunningCore } from './running-core.ts';

const MB = 1_000_000;

describe('an upload that breaks off', () => {
  let running: RunningCore;
  let proxy: TcpProxy;
  let made = 0;

  beforeAll(async () => {
    running = await startRunningCore({});
    proxy = await startTcpProxy(running.core.grpcPort);
  });
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await running?.[Symbol.asyncDispose]();
  });

  /** A layer of an image that the core knows, whose fragment does not get smaller than so many bytes. */
  async function largeLayer(bytes: number) {
    const image: TestImage = imageOf(await layerOf({ 'srv/layer': `${++made}` }));
    const [layer] = image.layers;
    const diffId = layer?.diffId ?? '';
    const file = () => `srv/${randomBytes(96).toString('base64url')}`;
    const files = Array.from({ length: bytes / 96 }, file).sort();
    const content = await encodeFragment({
      cataloger: CATALOGER_VERSION,
      opacity: 'exact',
      files,
      symlinks: [],
      others: [],
      emptyFolders: [],
      whiteouts: [],
      opaques: [],
      evidence: [],
      owners: [],
      totals: { files: files.length, bytes: 1 },
      problems: [],
    });
    await running.agents.n1.missingLayers(describeImage(image), CATALOGER_VERSION);
    const upload = { diffId, catalogerVersion: CATALOGER_VERSION, chainId: diffId, content };
    return { ...upload, contentDigest: digestOf(content) };
  }
  type Upload = Awaited<ReturnType<typeof largeLayer>>;

  const kept = () =>
    running.core.app.database.query<{ node: string; digest: string; bytes: number }>(
      'select node, content_digest as digest, length(content) as bytes from gatehouse.kept_uploads order by kept_at',
    );
  const isThere = async ({ diffId }: Upload): Promise<boolean> =>
    (
      await running.core.app.database.query(
        'select from gatehouse.layers where diff_id = $1 and fragment is not null',
        [diffId],
      )
    ).length === 1;

  /** Has an upload broken off after so many bytes; gives how much of it the core has kept. */
  async function breakOff(upload: Upload, bytes: number): Promise<number> {
    using agent = running.connect('n1', proxy.port);
    proxy.breakAfter(bytes);
    await expect(agent.uploadLayer(upload)).rejects.toMatchObject({ code: 'core_unavailable' });
    return await eventually(
      async () => {
        const row = (await kept()).find(({ digest }) => digest === upload.contentDigest);
        if (!row) throw new Error('nothing is kept');
        return row.bytes;
      },
      { what: 'what arrived to be kept' },
    );
  }

  it('goes on from where it was: what has arrived is not sent again', async () => {
    const upload = await largeLayer(8 * MB);
    const size = upload.content.length;
    expect(size).toBeGreaterThan(6 * MB);
    const arrived = await breakOff(upload, 5 * MB);
    expect(arrived).toBeGreaterThan(4 * MB);
    expect(await isThere(upload)).toBe(false);

    proxy.mend();
    using agent = running.connect('n1', proxy.port);
    const before = proxy.sent;
    await agent.uploadLayer(upload);
    const sent = proxy.sent - before;
    expect(sent).toBeGreaterThan(size - arrived);
    expect(sent).toBeLessThan((size - arrived) * 1.05 + 20_000);
    expect(await isThere(upload)).toBe(true);
    expect(await kept()).toEqual([]);
  });

  it('goes on after each of many breaks, at whichever core answers', async () => {
    const upload = await largeLayer(8 * MB);
    let arrived = 0;
    for (const bytes of [2 * MB, 2 * MB]) {
      const more = await breakOff(upload, bytes);
      await eventually(async () => expect((await kept())[0]?.bytes).toBeGreaterThan(arrived + MB), {
        what: 'more to be kept',
      });
      arrived = Math.max(arrived, more);
      // Another core on the same store.
      await running.restart();
      proxy.mend();
    }
    using agent = running.connect('n1', proxy.port);
    const before = proxy.sent;
    await agent.uploadLayer(upload);
    expect(proxy.sent - before).toBeLessThan(upload.content.length - 2.5 * MB);
    expect(await isThere(upload)).toBe(true);
  });

  it('is another node’s own: nobody goes on with what somebody else sent', async () => {
    const upload = await largeLayer(4 * MB);
    await breakOff(upload, 2 * MB);
    proxy.mend();
    using other = running.connect('n2', proxy.port);
    const before = proxy.sent;
    await other.uploadLayer(upload);
    expect(proxy.sent - before).toBeGreaterThan(upload.content.length);
  });

  it('whose beginning was something else is refused, and sent from its beginning next time', async () => {
    const upload = await largeLayer(4 * MB);
    await breakOff(upload, 2 * MB);
    proxy.mend();
    const { database } = running.core.app;
    await database.query(
      `update gatehouse.kept_uploads set content = set_byte(content, 7, 1 - get_byte(content, 7) % 2)
       where content_digest = $1`,
      [upload.contentDigest],
    );
    await expect(running.agents.n1.uploadLayer(upload)).rejects.toMatchObject({ code: 'core_rejected' });
    await running.agents.n1.uploadLayer(upload);
    expect(await isThere(upload)).toBe(true);
  });

  it('leaves little behind: two of a node at the most, and none for long', async () => {
    const { database } = running.core.app;
    await database.query('delete from gatehouse.kept_uploads');
    const uploads = [await largeLayer(2 * MB), await largeLayer(2 * MB), await largeLayer(2 * MB)];
    for (const upload of uploads) {
      await breakOff(upload, MB);
      proxy.mend();
    }
    const left = (await kept()).map(({ digest }) => digest);
    expect(left).toEqual(uploads.slice(1).map(({ contentDigest }) => contentDigest));
    await database.query(
      `update gatehouse.kept_uploads set kept_at = kept_at - interval '61 minutes'
      where content_digest = $1`,
      [left[0]],
    );
    await sweepUploads(database);
    expect((await kept()).map(({ digest }) => digest)).toEqual(left.slice(1));
  });
});
