import type { Log } from '@gatehouse/lib/log.ts';
import type { ObjectName } from './api-object.ts';
import { follow } from './follow.ts';
import type { Kubernetes } from './kubernetes.ts';
import { entriesOf } from './secret-store.ts';
import { CertificateHolder, offerOf, type ServingCertificate } from './serving.ts';

/**
 * The certificate that the issuer keeps in a Secret. Waits until there is one, or until `signal` aborts, with whose
 * reason it then throws. A Secret that goes away changes nothing: the last good certificate stays.
 * Needs get and watch on the Secret.
 */
export async function secretCertificate(options: {
  readonly kubernetes: Kubernetes;
  readonly secret: ObjectName;
  readonly log: Log;
  readonly signal: AbortSignal;
}): Promise<ServingCertificate> {
  const { log, signal } = options;
  const object = options.kubernetes.secret(options.secret);
  const holder = new CertificateHolder(object.title, log);
  await using started = new AsyncDisposableStack();
  started.use(
    follow(
      object,
      (secret) => {
        const offer = secret && offerOf(entriesOf(secret));
        if (offer) holder.offer(offer);
        else log.warn({ source: object.title }, 'no certificate there');
      },
      log,
    ),
  );
  await unlessAborted(holder.first, signal);
  const running = started.move();
  return holder.serving(() => running.disposeAsync());
}

async function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
