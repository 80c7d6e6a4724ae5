import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadAllYaml } from '@kubernetes/client-node';
import { expect, it } from 'vitest';
import { runOk } from '../harness/process.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** What the manifests let agents do, as setpriv(1) has it. */
async function capabilities(): Promise<string> {
  const file = await readFile(path.join(root, 'manifests/base/agent.yaml'), 'utf8');
  const [, daemonSet] = loadAllYaml(file) as {
    spec: {
      template: { spec: { containers: [{ securityContext: { capabilities: { add: string[] } } }] } };
    };
  }[];
  if (!daemonSet) throw new Error('the manifest has no DaemonSet');
  const [agent] = daemonSet.spec.template.spec.containers;
  return ['-all', ...agent.securityContext.capabilities.add.map((name) => `+${name.toLowerCase()}`)].join();
}

it('an agent with the rights of its pod ends the process that reads layers, however that goes on', async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'gatehouse-rights-'));
  await writeFile(path.join(folder.path, 'file'), 'content');
  const rights = [`--bounding-set=${await capabilities()}`, '--inh-caps=-all', '--no-new-privs'];
  const script = path.join(import.meta.dirname, 'cataloger-rights.ts');
  const printed = await runOk(['setpriv', ...rights, process.execPath, script, folder.path]);
  expect(JSON.parse(printed)).toEqual({ files: 1, failure: 'cataloger_died', childrenLeft: 0 });
});
