import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../harness/process.ts';

const script = path.resolve(
  import.meta.dirname,
  '../../manifests/components/postgres/image/postgres-in-cluster',
);

/** In place of PostgreSQL's programs: they do what matters here, and PostgreSQL can be told to be killed at a point. */
const programs = {
  initdb: 'mkdir "$2" && echo 15 > "$2/PG_VERSION" && echo trust > "$2/pg_hba.conf"',
  postgres:
    '[ "$1" != --single ] || { [ -z "$KILLED" ] || kill -9 "$PPID"; cat > /dev/null; exit; }; cat "$2/pg_hba.conf"',
};

let folder: string;
let data: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-first-start-'));
  data = path.join(folder, 'data');
  await mkdir(path.join(folder, 'bin'));
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(path.join(folder, 'bin', name), `#!/bin/sh\n${text}\n`);
    await chmod(path.join(folder, 'bin', name), 0o755);
  }
});

afterEach(() => rm(folder, { recursive: true }));

function start(killed = ''): ReturnType<typeof run> {
  return run([
    'env',
    `PATH=${path.join(folder, 'bin')}:${process.env.PATH}`,
    `PGDATA=${data}`,
    `KILLED=${killed}`,
    'sh',
    script,
  ]);
}

describe('PostgreSQL in a cluster', () => {
  it('asks for passwords from its first start on', async () => {
    expect((await start()).stdout).toContain('hostssl all all all scram-sha-256');
    expect((await start()).stdout).toContain('hostssl all all all scram-sha-256');
    expect(await readdir(folder)).toEqual(['bin', 'data']);
  });

  it('takes an empty folder for its data', async () => {
    await mkdir(data);
    await start();
    expect(await readFile(path.join(data, 'pg_hba.conf'), 'utf8')).toContain('scram-sha-256');
  });

  it('asks for passwords even if its first start was killed in its midst', async () => {
    expect((await start('yes')).code).not.toBe(0);
    expect((await start()).stdout).toContain('hostssl all all all scram-sha-256');
  });
});
