import { createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { issueGeneration } from './authority.ts';
import { isIssuedBy } from './certificate.ts';
import { parseServingNames } from './names.ts';

const names = parseServingNames(['webhook.gatehouse-system.svc', '10.96.0.7', '::1']);
const now = new Date('2030-05-01T12:00:00Z');
const issue = (at = now) => issueGeneration(names, { now: at, lifetime: 86_400_000 });

describe('a generation', () => {
  it('is a leaf with its key, signed by an authority of its own', async () => {
    const { authority, leaf, key } = await issue();
    expect(isIssuedBy(leaf, authority)).toBe(true);
    expect(isIssuedBy(leaf, (await issue()).authority)).toBe(false);
    expect(leaf.publicKey.equals(createPublicKey(key))).toBe(true);
    expect(leaf.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  });

  it('has an authority that may only sign, and a leaf that may only serve', async () => {
    const { authority, leaf } = await issue();
    expect(authority.ca).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(isIssuedBy(authority, leaf)).toBe(false);
    // Extended key usage "server authentication".
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  it('carries all names, and nothing in place of a name', async () => {
    const { leaf } = await issue();
    expect(leaf.subjectAltName).toBe(
      'DNS:webhook.gatehouse-system.svc, IP Address:10.96.0.7, IP Address:0:0:0:0:0:0:0:1',
    );
  });

  it('is valid already on a machine whose clock is slow, and ends after its lifetime', async () => {
    const { authority, leaf } = await issue();
    for (const certificate of [authority, leaf]) {
      expect(certificate.validFromDate).toEqual(new Date('2030-05-01T11:55:00Z'));
      expect(certificate.validToDate).toEqual(new Date('2030-05-02T12:00:00Z'));
    }
  });

  it('can end after 2049, when certificates write years in another way', async () => {
    const { leaf } = await issue(new Date('2049-12-31T23:00:00Z'));
    expect(leaf.validToDate).toEqual(new Date('2050-01-01T23:00:00Z'));
  });

  it('shares neither serial numbers nor the name of its authority with another', async () => {
    const both = await Promise.all([issue(), issue()]);
    const certificates = both.flatMap(({ authority, leaf }) => [authority, leaf]);
    expect(new Set(certificates.map((each) => each.serialNumber)).size).toBe(4);
    expect(new Set(certificates.map((each) => each.issuer)).size).toBe(2);
  });
});
