import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { CertsError } from './errors.ts';

/** Under which names and addresses a server is reached: at least one, checked, in lower case, each once. */
export interface ServingNames {
  readonly dns: readonly string[];
  readonly ip: readonly string[];
}

/** A Service has about ten names and addresses; a certificate of hundreds would slow each handshake. */
const MAX_NAMES = 64;
/** RFC 1035: 253 characters in all, 63 a label. A wildcard is left out on purpose: no component needs one. */
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Sorts texts into DNS names and IP addresses. Throws CertsError `name_invalid`. */
export function parseServingNames(texts: readonly string[]): ServingNames {
  const names = [...new Set(texts.map((text) => text.toLowerCase()))];
  if (names.length === 0 || names.length > MAX_NAMES) {
    throw new CertsError('name_invalid', `a certificate takes 1 to ${MAX_NAMES} names, not ${names.length}`);
  }
  const ip = names.filter((name) => isIP(name) !== 0);
  const dns = names.filter((name) => isIP(name) === 0);
  const wrong = dns.find((name) => !DNS_NAME.test(name));
  if (wrong !== undefined) {
    throw new CertsError('name_invalid', `'${wrong}' is neither a DNS name nor an IP address`, {
      hint: 'A Service is reached as NAME.NAMESPACE.svc; wildcards are not supported.',
    });
  }
  return { dns, ip };
}

/** Whether a certificate carries exactly these names. */
export function carriesNames(certificate: X509Certificate, names: ServingNames): boolean {
  const carried = certificate.subjectAltName?.split(', ').length ?? 0;
  return (
    carried === names.dns.length + names.ip.length &&
    names.dns.every((name) => certificate.checkHost(name, { wildcards: false, subject: 'never' })) &&
    names.ip.every((address) => certificate.checkIP(address))
  );
}
