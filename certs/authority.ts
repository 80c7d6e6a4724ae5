// The X.509 library's dependency injection refuses to load without this.
import 'reflect-metadata';
import { randomUUID, type webcrypto, X509Certificate } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Generation } from './material.ts';
import type { ServingNames } from './names.ts';

/** P-256 is what every TLS client takes, and the cheapest to sign with. */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Clocks of nodes differ; more than five minutes apart, Kubernetes itself and its tokens no longer work. */
const CLOCK_SKEW_MS = 5 * 60_000;

/**
 * Makes an authority and the one serving certificate that it ever signs. The authority's private key cannot be
 * exported and is forgotten on return: whoever gets hold of what is stored cannot sign for another name.
 * Both are valid from a little before `now` until `lifetime` milliseconds after it; serial numbers are random.
 */
export async function issueGeneration(
  names: ServingNames,
  validity: { readonly now: Date; readonly lifetime: number },
): Promise<Generation> {
  const dates = {
    notBefore: new Date(validity.now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(validity.now.getTime() + validity.lifetime),
  };
  const authorityKeys = await crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']);
  const leafKeys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  // Clients look authorities up by name: two of one name in a bundle would make some of them try the wrong one.
  const issuer = `CN=gatehouse ${randomUUID()}`;
  const authority = await X509CertificateGenerator.createSelfSigned({
    ...dates,
    name: issuer,
    keys: authorityKeys,
    signingAlgorithm: ALGORITHM,
    extensions: await authorityExtensions(authorityKeys.publicKey),
  });
  const leaf = await X509CertificateGenerator.create({
    ...dates,
    issuer,
    subject: 'CN=gatehouse serving',
    publicKey: leafKeys.publicKey,
    signingKey: authorityKeys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: await leafExtensions(names, { authority: authorityKeys.publicKey, leaf: leafKeys.publicKey }),
  });
  return {
    authority: new X509Certificate(authority.toString('pem')),
    leaf: new X509Certificate(leaf.toString('pem')),
    key: PemConverter.encode(await crypto.subtle.exportKey('pkcs8', leafKeys.privateKey), 'PRIVATE KEY'),
  };
}

async function authorityExtensions(key: webcrypto.CryptoKey): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    await SubjectKeyIdentifierExtension.create(key),
  ];
}

async function leafExtensions(
  names: ServingNames,
  keys: { authority: webcrypto.CryptoKey; leaf: webcrypto.CryptoKey },
): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension([
      ...names.dns.map((value) => ({ type: 'dns' as const, value })),
      ...names.ip.map((value) => ({ type: 'ip' as const, value })),
    ]),
    await SubjectKeyIdentifierExtension.create(keys.leaf),
    await AuthorityKeyIdentifierExtension.create(keys.authority),
  ];
}
