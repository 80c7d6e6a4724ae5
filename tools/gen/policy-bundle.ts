import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ENTRYPOINT } from '@gatehouse/policies';
import { runOk } from '../../test/harness/process.ts';
import { need } from '../../test/harness/tools.ts';

/**
 * The default policy as a bundle with its WebAssembly program. It may call only what the evaluator implements: opa
 * refuses any other built-in function, where the webhook would find out when it judges a pod.
 */
export async function defaultBundle(root: string, to: string): Promise<void> {
  const { opa } = await need('opa');
  const capabilities = `${to}.capabilities.json`;
  const evaluator = path.join(root, 'node_modules', '@open-policy-agent', 'opa-wasm', 'capabilities.json');
  // The evaluator's list of built-ins, which does not name the features of the language, for those are compiled away.
  const known = JSON.parse(await readFile(evaluator, 'utf8')) as object;
  await writeFile(capabilities, JSON.stringify({ ...known, features: ['rego_v1'] }));
  const source = path.join(root, 'policies', 'default');
  await runOk([opa, 'test', source]);
  await runOk([opa, 'check', '--strict', source]);
  await runOk([opa, 'fmt', '--fail', '--list', source]);
  await runOk(
    [
      ...[opa, 'build', '--target', 'wasm', '--entrypoint', ENTRYPOINT, '--ignore', '*_test.rego'],
      ...['--capabilities', capabilities, '--output', to, '.'],
    ],
    { cwd: source },
  );
}
