import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '@gatehouse/lib/log.ts';
import { Bell } from './bell.ts';
import { CertsError } from './errors.ts';
import { CertificateHolder, type ServingCertificate } from './serving.ts';

/** Some file systems tell of no changes; a minute is what the kubelet takes for a mounted Secret, too. */
const POLL_MS = 60_000;
/** Certificate and key are written one after the other: they are read when both are likely to be there. */
const QUIET_MS = 250;

/**
 * The certificate in two PEM files that somebody else renews, in place or by swapping the folder behind a link as the
 * kubelet does. Throws CertsError if they are no good from the start.
 */
export async function fileCertificate(
  certPath: string,
  keyPath: string,
  log: Log,
): Promise<ServingCertificate> {
  const holder = new CertificateHolder(certPath, log);
  const pair = await readPair(certPath, keyPath);
  try {
    holder.accept(pair);
  } catch (cause) {
    if (!(cause instanceof CertsError)) throw cause;
    throw new CertsError(cause.code, `cannot serve the certificate ${certPath} with the key ${keyPath}`, {
      cause,
    });
  }

  const ending = new AbortController();
  const { signal } = ending;
  const bell = new Bell();
  for (const folder of new Set([dirname(certPath), dirname(keyPath)]))
    watchFolder(folder, { bell, signal, log });

  const reloading = (async () => {
    for (;;) {
      await bell.wait(POLL_MS, signal);
      await delay(QUIET_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await readPair(certPath, keyPath).then(
        (pair) => holder.offer(pair),
        (err: unknown) => log.error({ err }, 'certificate not read; the last good one stays'),
      );
    }
  })();

  return holder.serving(async () => {
    ending.abort();
    await reloading;
  });
}

async function readPair(certPath: string, keyPath: string): Promise<{ cert: string; key: string }> {
  try {
    const [cert, key] = await Promise.all([readFile(certPath, 'utf8'), readFile(keyPath, 'utf8')]);
    return { cert, key };
  } catch (cause) {
    throw new CertsError('file_unreadable', `cannot read the certificate ${certPath} or the key ${keyPath}`, {
      cause,
    });
  }
}

/** Not the files: a watch on a file follows the old one when a new one takes its name. */
function watchFolder(
  folder: string,
  { bell, signal, log }: { bell: Bell; signal: AbortSignal; log: Log },
): void {
  try {
    watch(folder, { signal }, () => bell.ring()).on('error', (err) => {
      log.warn({ err, folder }, 'folder not watched; the certificate is read once a minute');
    });
  } catch (err) {
    log.warn({ err, folder }, 'folder not watched; the certificate is read once a minute');
  }
}
