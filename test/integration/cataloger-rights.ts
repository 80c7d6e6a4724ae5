/**
 * Reads a layer in a process of its own, then one that never ends, and prints what came of it as JSON: run with the
 * capabilities that an agent has in its pod.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { noLog } from '@gatehouse/lib/log.ts';
import { CatalogerProcess } from '../../agent/cataloger/cataloger-process.ts';

const [folder = ''] = process.argv.slice(2);

function childrenLeft(): number {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(process.pid);
      } catch {
        return false;
      }
    }).length;
}

const endless = { name: 'endless', open: () => new Readable({ read: () => undefined }) };
const cataloger = new CatalogerProcess(noLog, { layerMs: 300 });
const { totals } = await cataloger.catalogFolder({ layers: [folder], index: 0 });
const failure = await cataloger
  .catalogBlob(endless, { diffId: '' })
  .catch((error: Error & { code?: string }) => error.code);
await cataloger.catalogFolder({ layers: [folder], index: 0 });
await cataloger[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify({ files: totals.files, failure, childrenLeft: childrenLeft() }));
