import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import type { AdvisoryError } from '../errors.ts';
import { openFeeds } from './open-feeds.ts';
import type { FeedReading, FeedRecord } from './reading.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'));
});

afterEach(() => rm(folder, { recursive: true }));

const record = (id: string, modified = '2024-05-01T10:00:00Z'): string => JSON.stringify({ id, modified });

type Files = Readonly<Record<string, string | Buffer>>;

async function zip(files: Files, options: { compress?: boolean } = {}): Promise<Buffer> {
  const archive = new ZipFile();
  for (const [name, content] of Object.entries(files)) archive.addBuffer(Buffer.from(content), name, options);
  archive.end();
  return buffer(archive.outputStream);
}

async function put(path: string, content: string | Buffer): Promise<void> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), content);
}

/** Reads the npm feed of the folder to its end. */
async function readNpm(): Promise<{
  records: readonly FeedRecord[];
  reading: FeedReading;
  fingerprint: string;
}> {
  const opened = await (await openFeeds(folder)).ecosystems[0]?.open();
  if (opened === undefined || typeof opened === 'string') throw new Error(`the feed is ${opened}`);
  await using feed = opened;
  const reading = feed.records();
  return { records: await Array.fromAsync(reading), reading, fingerprint: feed.fingerprint };
}

const codeOf = (reading: Promise<unknown>): Promise<string> =>
  reading.then(
    () => 'none',
    (error: AdvisoryError) => error.code,
  );

describe('a feeds folder', () => {
  it('has a feed for each ecosystem that is known and there', async () => {
    for (const name of ['npm', 'Debian', 'Hex']) await put(`${name}/all.zip`, await zip({}));
    expect((await openFeeds(folder)).ecosystems.map(({ ecosystem }) => ecosystem)).toEqual(['Debian', 'npm']);
  });

  it.each([
    '/nowhere/at/all',
    'ftp://example.org/feeds',
    'https://',
    'https://user:secret@example.org/feeds',
  ])('is not %s', async (location) => {
    const opening = openFeeds(location);
    await expect(opening).rejects.toMatchObject({ code: 'feeds_not_found' });
    await expect(opening).rejects.not.toThrow(/secret/);
  });

  it('is not a folder without any feed', async () => {
    expect(await codeOf(openFeeds(folder))).toBe('feeds_not_found');
  });
});

describe('a feed', () => {
  it('gives its records, packed or not, with a hash that changes when they do', async () => {
    await put(
      'npm/all.zip',
      await zip({ 'A-1.json': record('A-1'), 'A-2.json': record('A-2'), 'README.md': 'no' }),
    );
    const before = await readNpm();
    expect(before.records.map(({ name, advisory }) => [name, advisory.id])).toEqual([
      ['A-1.json', 'A-1'],
      ['A-2.json', 'A-2'],
    ]);
    const changed = record('A-2', '2024-05-02T00:00:00Z');
    await put(
      'npm/all.zip',
      await zip({ 'A-1.json': record('A-1'), 'A-2.json': changed }, { compress: false }),
    );
    const after = await readNpm();
    expect(after.records[0]?.hash).toBe(before.records[0]?.hash);
    expect(after.records[1]?.hash).not.toBe(before.records[1]?.hash);
    expect(after.records[1]?.bytes.toString()).toBe(changed);
  });

  it('is unchanged as long as its fingerprint is, and absent once its file is gone', async () => {
    await put('npm/all.zip', await zip({ 'A-1.json': record('A-1') }, { compress: false }));
    const npm = (await openFeeds(folder)).ecosystems[0];
    const { fingerprint } = await readNpm();
    expect(await npm?.open(fingerprint)).toBe('unchanged');
    // Of the same size, as a correction of one letter is.
    await put('npm/all.zip', await zip({ 'A-1.json': record('A-9') }, { compress: false }));
    const { fingerprint: next } = await readNpm();
    expect(next).not.toBe(fingerprint);
    expect(await npm?.open(next)).toBe('unchanged');
    await rm(join(folder, 'npm/all.zip'));
    expect(await npm?.open(next)).toBe('absent');
  });

  it('is as of its newest change that is not in the future', async () => {
    const files = {
      'A-1.json': record('A-1', '2024-05-01T10:00:00Z'),
      'A-2.json': record('A-2', '2024-05-03T10:00:00Z'),
      'A-3.json': record('A-3', '2999-01-01T00:00:00Z'),
      'A-4.json': record('A-4', '2024-05-02T10:00:00Z'),
    };
    await put('npm/all.zip', await zip(files));
    expect((await readNpm()).reading.asOf).toBe('2024-05-03T10:00:00.000Z');
  });

  it('is as of the date of its file if it has no records', async () => {
    await put('npm/all.zip', await zip({}));
    const { reading } = await readNpm();
    expect(Date.now() - Date.parse(reading.asOf)).toBeLessThan(60_000);
    expect(reading.recordCount).toBe(0);
  });

  it('can be left before its end', async () => {
    await put('npm/all.zip', await zip({ 'A-1.json': record('A-1'), 'A-2.json': record('A-2') }));
    const opened = await (await openFeeds(folder)).ecosystems[0]?.open();
    if (opened === undefined || typeof opened === 'string') throw new Error(`the feed is ${opened}`);
    await using feed = opened;
    const reading = feed.records();
    for await (const { advisory } of reading) {
      expect(advisory.id).toBe('A-1');
      break;
    }
    expect(reading.recordCount).toBe(1);
  });
});

describe('a record that is not usable', () => {
  /** Between two good ones, which must be read all the same. */
  async function readAround(bad: string | Buffer): Promise<FeedReading> {
    await put(
      'npm/all.zip',
      await zip({ 'A-1.json': record('A-1'), 'BAD.json': bad, 'A-2.json': record('A-2') }),
    );
    const { records, reading } = await readNpm();
    expect(records.map(({ name }) => name)).toEqual(['A-1.json', 'A-2.json']);
    expect([reading.recordCount, reading.skippedCount]).toEqual([2, 1]);
    return reading;
  }

  it.each([
    ['is no JSON', '{"id":', 'record_invalid'],
    ['is empty', '', 'record_invalid'],
    ['is not UTF-8', Buffer.from(record('A-\u00ff'), 'latin1'), 'record_invalid'],
    ['is no advisory', '{"id":"A-3"}', 'record_invalid'],
    ['is huge', randomBytes(9 * 1024 ** 2), 'record_too_large'],
    ['unpacks to far more than any text does', ' '.repeat(1024 ** 2), 'record_too_large'],
  ])('because it %s is skipped and told by its file', async (_why, content, code) => {
    const [problem] = (await readAround(content)).problems;
    expect(problem).toMatchObject({ code });
    expect(problem?.message).toContain('BAD.json in ');
    expect(problem?.message).toContain('npm/all.zip');
  });

  it('because its bytes were changed is skipped', async () => {
    const archive = await zip({ 'A-1.json': record('A-1'), 'A-2.json': record('A-2') }, { compress: false });
    archive.write('A-9', archive.indexOf('"A-1"') + 1);
    await put('npm/all.zip', archive);
    const { records, reading } = await readNpm();
    expect(records.map(({ name }) => name)).toEqual(['A-2.json']);
    expect(reading.problems[0]).toMatchObject({ code: 'record_damaged' });
  });

  it('is only counted after the first hundred', async () => {
    const bad = Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`BAD-${at}.json`, '{}']));
    await put('npm/all.zip', await zip(bad));
    const { reading } = await readNpm();
    expect([reading.skippedCount, reading.problems.length]).toEqual([150, 100]);
  });
});

describe('an archive that is not usable', () => {
  it('is an error that names the file', async () => {
    await put('npm/all.zip', 'no zip at all');
    expect(await codeOf(readNpm())).toBe('feed_damaged');
    await expect(readNpm()).rejects.toThrow(/npm\/all\.zip/);
  });

  it('is an error if it was cut off', async () => {
    const archive = await zip({ 'A-1.json': record('A-1') });
    await put('npm/all.zip', archive.subarray(0, archive.length - 30));
    expect(await codeOf(readNpm())).toBe('feed_damaged');
  });

  it('is an error if its directory is broken', async () => {
    const archive = await zip({ 'A-1.json': record('A-1'), 'A-2.json': record('A-2') });
    archive.fill(0, archive.lastIndexOf('PK\u0001\u0002'), archive.lastIndexOf('PK\u0001\u0002') + 4);
    await put('npm/all.zip', archive);
    expect(await codeOf(readNpm())).toBe('feed_damaged');
  });

  it('is an error if it has a name that leads out of it', async () => {
    const archive = await zip({ 'aa/aa.json': record('A-1') });
    for (const at of [archive.indexOf('aa/aa'), archive.lastIndexOf('aa/aa')]) archive.write('../aa', at);
    await put('npm/all.zip', archive);
    expect(await codeOf(readNpm())).toBe('feed_damaged');
  });

  it('is an error if it says that it has millions of records', async () => {
    const archive = await zip({ 'A-1.json': record('A-1') });
    const end = archive.lastIndexOf('PK\u0005\u0006');
    archive.writeUInt16LE(0xffff, end + 10);
    const locator = Buffer.alloc(20);
    locator.write('PK\u0006\u0007');
    locator.writeBigUInt64LE(BigInt(end), 8);
    const end64 = Buffer.alloc(56);
    end64.write('PK\u0006\u0006');
    end64.writeBigUInt64LE(44n, 4);
    end64.writeBigUInt64LE(50_000_000n, 32);
    await put(
      'npm/all.zip',
      Buffer.concat([archive.subarray(0, end), end64, locator, archive.subarray(end)]),
    );
    expect(await codeOf(readNpm())).toBe('feed_too_large');
  });
});

describe('the catalog of known exploited vulnerabilities', () => {
  const catalog = (...ids: readonly string[]): string =>
    JSON.stringify({
      dateReleased: '2025-08-25T17:04:19.9796Z',
      vulnerabilities: ids.map((cveID) => ({ cveID, product: 'Left' })),
    });

  beforeEach(async () => put('npm/all.zip', await zip({})));

  it('gives the ids of the flaws and when it was released', async () => {
    await put('kev.json', `\ufeff${catalog('CVE-2020-11023', 'CVE-2023-44487')}`);
    const { knownExploited } = await openFeeds(folder);
    const read = await knownExploited.open();
    if (typeof read === 'string') throw new Error(`the catalog is ${read}`);
    expect([...read.cves]).toEqual(['CVE-2020-11023', 'CVE-2023-44487']);
    expect(read.asOf).toBe('2025-08-25T17:04:19.979Z');
    expect(await knownExploited.open(read.fingerprint)).toBe('unchanged');
  });

  it('may be absent', async () => {
    expect(await (await openFeeds(folder)).knownExploited.open()).toBe('absent');
  });

  it.each([
    ['no JSON', 'nothing'],
    ['no catalog', '[]'],
    ['no entries', catalog()],
    ['an entry without a CVE id', catalog('CVE-2020-11023', 'GHSA-1')],
    ['no date', '{"vulnerabilities":[{"cveID":"CVE-2020-11023"}]}'],
  ])('is not taken in parts: with %s it is an error', async (_what, content) => {
    await put('kev.json', content);
    expect(await codeOf((await openFeeds(folder)).knownExploited.open())).toBe('kev_invalid');
  });
});
