import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ImageSummary } from '@gatehouse/core/main.ts';
import { parseVerdict } from '@gatehouse/policies';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { imageTable, tryOut } from './first-look.ts';

const url = 'http://127.0.0.1:8080/api/v1/images';

function imageOf(name: string, verdict?: Record<string, unknown>): ImageSummary {
  return {
    digest: `sha256:${'0'.repeat(64)}`,
    platform: 'linux/amd64',
    state: verdict ? 'ready' : 'waiting',
    reason: null,
    source: verdict ? 'layers' : null,
    aliases: [`${name}@sha256:${'1'.repeat(64)}`, name],
    verdict: verdict ? parseVerdict({ state: 'ready', ...verdict }) : null,
  };
}

/** The cells of each line of the table. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/ {2,}/));
}

describe('the first look at images', () => {
  it('says for each what was found, under the name that people know it by', () => {
    const counts = { critical: 1, high: 2, medium: 3, low: 4, unknown: 5 };
    const table = imageTable(
      [imageOf('app:1', { counts, fixable: { critical: 1, low: 2 }, knownExploited: 6 })],
      url,
    );
    expect(rowsOf(table)).toEqual([
      ['image', 'state', 'critical', 'high', 'other', 'fixable', 'exploited'],
      ['app:1', 'ready', '1', '2', '12', '3', '6'],
    ]);
  });

  it('puts first what is worse, to the last of the severities', () => {
    const names = ['critical', 'high', 'medium', 'low', 'unknown'];
    const images = names.map((name) => imageOf(name, { counts: { [name]: 1 } }));
    const table = rowsOf(imageTable(images.toReversed(), url)).slice(1);
    expect(table.map(([name]) => name)).toEqual(names);
  });

  it('gives a reason that has a full stop no second one', () => {
    const image = { ...imageOf('app:1'), reason: 'the layer is gone. Pull it again.' };
    expect(imageTable([image], url)).toContain('Pull it again.\n');
  });

  it('has an image without a verdict, too, and one without a tag', () => {
    const { digest, aliases } = imageOf('app');
    const untagged = { ...imageOf('app'), aliases: aliases.slice(0, 1) };
    const unnamed = { ...imageOf('app'), aliases: [] };
    expect(rowsOf(imageTable([untagged, unnamed], url)).slice(1)).toEqual([
      [aliases[0], 'waiting'],
      [digest, 'waiting'],
    ]);
  });

  it('says of an image that is known but not judged what it waits for', () => {
    const table = imageTable([{ ...imageOf('app:1'), state: 'ready' }], url);
    expect(rowsOf(table)[1]).toEqual(['app:1', 'not judged']);
    expect(table).toContain('--feeds');
    expect(imageTable([imageOf('app:1', {}), imageOf('app:2')], url)).not.toContain('--feeds');
  });

  it('begins with what the default policy minds most, whatever the numbers', () => {
    const count = fc.nat(500);
    const found = fc.record({
      counts: fc.record({ critical: count, high: count }),
      fixable: fc.record({ critical: count }),
      knownExploited: count,
    });
    fc.assert(
      fc.property(found, fc.tuple(count, count, count), (worse, [critical, high, fixable]) => {
        const weightier = [
          { ...worse, knownExploited: worse.knownExploited + 1 },
          { ...worse, counts: { critical, high }, fixable: { critical: worse.fixable.critical + 1 } },
          { ...worse, counts: { critical: worse.counts.critical + 1, high } },
          { ...worse, counts: { ...worse.counts, high: worse.counts.high + 1 } },
          {
            counts: { critical, high },
            fixable: { critical: fixable },
            knownExploited: worse.knownExploited + 1,
          },
        ];
        for (const each of weightier) {
          const images = [imageOf('unknown:1'), imageOf('less:1', worse), imageOf('more:1', each)];
          const names = rowsOf(imageTable(images, url)).map(([name]) => name);
          expect(names).toEqual(['image', 'more:1', 'less:1', 'unknown:1']);
        }
      }),
    );
  });

  it('has no more than a screen of them, and says where the others are', () => {
    const images = Array.from({ length: 32 }, (_, high) => imageOf(`app:${high}`, { counts: { high } }));
    const rows = rowsOf(imageTable(images, url));
    expect(rows.slice(1, -1).map(([name]) => name)).toEqual(
      Array.from({ length: 30 }, (_, index) => `app:${31 - index}`),
    );
    expect(rows.at(-1)).toEqual([`and 2 more: ${url}`]);
    expect(imageTable(images.slice(0, 30), url)).not.toContain('more');
  });

  it('says why an image was not read as a whole, for as many as a reader may want to know', () => {
    const reason = `layer sha256:${'ab'.repeat(32)}: its folder: no container of the image runs here; its archive: gone`;
    const unread = (name: string, state: 'partial' | 'failed'): ImageSummary => ({
      ...imageOf(name, {}),
      state,
      reason,
    });
    const table = imageTable(
      [unread('part:1', 'partial'), unread('none:1', 'failed'), imageOf('app:1', {})],
      url,
    );
    const why = 'layer abababababab: its folder: no container of the image runs here; its archive: gone.';
    expect(table).toContain(`\n- part:1 was read in part: ${why}\n- none:1 could not be read: ${why}\n`);
    expect(table).not.toContain('app:1 was');
    const many = Array.from({ length: 7 }, (_, n) => unread(`app:${n}`, 'partial'));
    expect(imageTable(many, url)).toContain('\n- and 2 more\n');
  });

  it('says what to expect where there are none yet', () => {
    expect(imageTable([], url)).toContain('No images yet');
  });
});

describe('the command to try', () => {
  const webhook = { url: 'https://127.0.0.1:8443', authority: '/var/lib/gatehouse/certificates/ca.crt' };

  /** What a shell would give curl. */
  async function argumentsOf(text: string): Promise<string[]> {
    const command = text.split('\n').find((line) => line.includes('curl')) ?? '';
    const shell = `curl() { printf '%s\\0' "$@"; }; ${command}`;
    const { stdout } = await promisify(execFile)('sh', ['-c', shell]);
    return stdout.split('\0').slice(0, -1);
  }

  async function imageAskedFor(images: readonly ImageSummary[]): Promise<string | undefined> {
    const review = JSON.parse((await argumentsOf(tryOut(images, webhook))).at(-1) ?? '');
    return review.request.object.spec.containers[0].image;
  }

  it('sends the webhook a review of a pod, and trusts its authority', async () => {
    const [ca, authority, address, data, body = ''] = await argumentsOf(
      tryOut([imageOf('app:1', {})], webhook),
    );
    expect([ca, authority, address, data]).toEqual([
      '--cacert',
      webhook.authority,
      `${webhook.url}/validate`,
      '-d',
    ]);
    expect(JSON.parse(body)).toMatchObject({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: { uid: 'try-1', operation: 'CREATE', object: { spec: { containers: [{ image: 'app:1' }] } } },
    });
  });

  it('asks about the worst image, or about any where there is none', async () => {
    const images = [
      imageOf('good:1', {}),
      imageOf('bad:1', { fixable: { critical: 1 }, counts: { critical: 1 } }),
      imageOf('bulky:1', { counts: { critical: 400 } }),
      imageOf('unread:1'),
    ];
    expect(await imageAskedFor(images)).toBe('bad:1');
    expect(await imageAskedFor([])).toBe('nginx');
  });

  it.each([
    ['has blanks', '/home/a b/ca.crt'],
    ['has quotes', `/home/o'neill/'x'/"y"/ca.crt`],
    ['means something to a shell', '/home/$HOME/`id`;#&|/ca.crt'],
  ])('can be pasted although the path of the data %s', async (_what, authority) => {
    expect(await argumentsOf(tryOut([], { ...webhook, authority }))).toContain(authority);
  });
});
