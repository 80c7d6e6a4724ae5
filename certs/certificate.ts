import { createPrivateKey, X509Certificate } from 'node:crypto';
import { CertsError } from './errors.ts';

/** A certificate of a server (a chain may follow it) and its private key, known to belong together. */
export interface ServingPair {
  readonly cert: string;
  readonly key: string;
  readonly certificate: X509Certificate;
}

/** A chain of RSA-4096 certificates is below 10 KiB, a bundle in the midst of a rotation below 5 KiB. */
const MAX_PEM_CHARACTERS = 64 * 1024;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM text, in its order, at least one. Throws CertsError `certificate_unreadable`. */
export function parseCertificates(pem: string): [X509Certificate, ...X509Certificate[]] {
  if (pem.length > MAX_PEM_CHARACTERS) {
    throw new CertsError(
      'certificate_unreadable',
      `a certificate text of ${pem.length} characters is longer than ${MAX_PEM_CHARACTERS}`,
    );
  }
  try {
    const [first, ...others] = (pem.match(PEM_CERTIFICATE) ?? []).map((block) => new X509Certificate(block));
    if (first) return [first, ...others];
  } catch (cause) {
    throw new CertsError('certificate_unreadable', 'a certificate does not parse', { cause });
  }
  throw new CertsError('certificate_unreadable', 'a text holds no PEM certificate');
}

/** Throws CertsError `certificate_unreadable`, or `certificate_mismatch` if the key is another one's. */
export function parseServingPair(cert: string, key: string): ServingPair {
  const [certificate] = parseCertificates(cert);
  if (!certificate.checkPrivateKey(parseKey(key))) {
    throw new CertsError(
      'certificate_mismatch',
      `the key is not that of the certificate ${certificate.serialNumber}`,
    );
  }
  return { cert, key, certificate };
}

function parseKey(pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new CertsError('certificate_unreadable', 'a private key does not parse', { cause });
  }
}

/** Whether `authority` signed `certificate`; of validity in time it says nothing. */
export function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}
