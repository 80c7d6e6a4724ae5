/**
 * Makes every file that is generated and committed. With --check nothing is written: what would change is listed, and
 * the exit code is 1 if anything would.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { databaseSchema } from './gen/database-schema.ts';
import { errorsDocument } from './gen/errors-document.ts';
import { defaultBundle } from './gen/policy-bundle.ts';
import { protoCode } from './gen/proto-code.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Each writes one file, or one folder, at the path that it is given. */
const generated: readonly {
  readonly file: string;
  readonly make: (root: string, to: string) => Promise<void>;
}[] = [
  { file: 'proto/gen', make: protoCode },
  { file: 'policies/default.tar.gz', make: defaultBundle },
  { file: 'core/schema.sql', make: databaseSchema },
  { file: 'docs/errors.md', make: errorsDocument },
];

async function main(check: boolean): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-gen-'));
  try {
    const stale: string[] = [];
    for (const { file, make } of generated) {
      const made = path.join(folder, file);
      await mkdir(path.dirname(made), { recursive: true });
      await make(root, made);
      if (await isSame(made, path.join(root, file))) continue;
      stale.push(file);
      if (!check) await replace(made, path.join(root, file));
    }
    for (const file of stale) process.stdout.write(`${file} ${check ? 'is stale' : 'written'}\n`);
    if (check && stale.length > 0) {
      process.stderr.write('Run `npm run gen` and commit what it writes.\n');
      process.exitCode = 1;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether two files, or all files of two folders, have the same names and bytes. */
async function isSame(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([contentOf(one), contentOf(other)]);
  return a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes));
}

async function contentOf(place: string): Promise<ReadonlyMap<string, Buffer>> {
  const stats = await stat(place).catch(() => undefined);
  if (!stats) return new Map();
  if (stats.isFile()) return new Map([['', await readFile(place)]]);
  const names = await readdir(place, { recursive: true, withFileTypes: true });
  const files = names.filter((each) => each.isFile()).map((each) => path.join(each.parentPath, each.name));
  return new Map(
    await Promise.all(files.map(async (file) => [path.relative(place, file), await readFile(file)] as const)),
  );
}

async function replace(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await cp(from, to, { recursive: true });
}

await main(process.argv.includes('--check'));
