import type { V1Secret } from '@kubernetes/client-node';
import type { OwnObject } from './api-object.ts';
import type { Entries, NewEntries } from './entries.ts';
import type { MaterialStore, Stored } from './store.ts';

/** Any new value of this annotation on the Secret makes the issuer renew at once, as after a leak of the key. */
export const RENEW_ANNOTATION = 'gatehouse.dev/renew';

/**
 * Keeps material in one Secret. Its type is Opaque: it can be put there empty by the manifests, so that the issuer need
 * not be allowed to create Secrets (which no role can limit to a name), and no ingress takes it for its own.
 * Keys, labels and annotations of others are left alone.
 */
export function secretStore(secret: OwnObject<V1Secret>): MaterialStore {
  return {
    title: secret.title,
    async read() {
      const found = await secret.read();
      return found && toStored(found);
    },
    async write(entries, previous) {
      const data = encodeData(entries);
      return toStored(
        previous
          ? await secret.patch({ metadata: { resourceVersion: previous.version }, data })
          : await secret.create({ type: 'Opaque', data: withoutNulls(data) }),
      );
    },
  };
}

/** The texts in a Secret. */
export function entriesOf({ data = {} }: V1Secret): Entries {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, decode(value)]));
}

function toStored(secret: V1Secret): Stored {
  const { resourceVersion = '', annotations } = secret.metadata ?? {};
  return { entries: entriesOf(secret), version: resourceVersion, renewal: annotations?.[RENEW_ANNOTATION] };
}

/** In a merge patch, null removes a key. */
function encodeData(entries: NewEntries): Record<string, string | null> {
  return Object.fromEntries(
    Object.entries(entries).map(([name, text]) => [name, text === undefined ? null : encode(text)]),
  );
}

function withoutNulls(data: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
