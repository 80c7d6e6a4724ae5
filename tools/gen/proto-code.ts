import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { runOk } from '../../test/harness/process.ts';

/** TypeScript for the messages and services of proto/, by protobuf-es; throws where a file breaks our rules for them. */
export async function protoCode(root: string, to: string): Promise<void> {
  // buf writes below its own folder, so it works on a copy.
  const copy = await mkdtemp(path.join(path.dirname(to), 'proto-'));
  await cp(path.join(root, 'proto'), copy, {
    recursive: true,
    filter: (source) => !source.includes('node_modules') && !source.endsWith(`${path.sep}gen`),
  });
  const bin = path.join(root, 'node_modules', '.bin');
  const env = { PATH: `${bin}${path.delimiter}${process.env.PATH}` };
  await runOk([path.join(bin, 'buf'), 'lint'], { cwd: copy, env });
  await runOk([path.join(bin, 'buf'), 'generate'], { cwd: copy, env });
  await rename(path.join(copy, 'gen'), to);
  await rm(copy, { recursive: true });
}
