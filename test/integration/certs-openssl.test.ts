import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureLocalCertificates } from '@gatehouse/certs';
import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, runOk } from '../harness/process.ts';

let folder: AsyncDisposable & { readonly path: string };
const at = (...names: string[]): string => join(folder.path, ...names);

beforeAll(async () => {
  folder = await mkdtempDisposable(join(tmpdir(), 'gatehouse-certs-'));
  const names = ['core.gatehouse-system.svc', '127.0.0.1', '::1'];
  for (const name of ['one', 'other']) {
    await using _ = await ensureLocalCertificates(at(name), names, noLog);
  }
});

afterAll(() => folder[Symbol.asyncDispose]());

async function verify(...options: string[]): Promise<number> {
  const strictly = ['openssl', 'verify', '-x509_strict', '-purpose', 'sslserver'];
  return (await run([...strictly, ...options, at('one', 'tls.crt')])).code;
}

describe('to openssl', () => {
  it('a leaf is good, by the strict reading of RFC 5280, under each of its names', async () => {
    const trusted = ['-CAfile', at('one', 'ca.crt')];
    expect(await verify(...trusted, '-verify_hostname', 'core.gatehouse-system.svc')).toBe(0);
    expect(await verify(...trusted, '-verify_ip', '127.0.0.1')).toBe(0);
    expect(await verify(...trusted, '-verify_ip', '::1')).toBe(0);
  });

  it('a leaf is bad under another name, for another purpose, or with another authority', async () => {
    const trusted = ['-CAfile', at('one', 'ca.crt')];
    expect(await verify(...trusted, '-verify_hostname', 'webhook.gatehouse-system.svc')).not.toBe(0);
    expect(await verify(...trusted, '-purpose', 'sslclient')).not.toBe(0);
    expect(await verify('-CAfile', at('other', 'ca.crt'))).not.toBe(0);
  });

  it('a leaf is good in the bundle of a rotation, whichever of the authorities comes first', async () => {
    const bundles = await Promise.all(['one', 'other'].map((name) => runOk(['cat', at(name, 'ca.crt')])));
    for (const text of [bundles.join(''), bundles.toReversed().join('')]) {
      await writeFile(at('both.crt'), text);
      expect(await verify('-CAfile', at('both.crt'))).toBe(0);
    }
  });

  it('an authority may sign leaves, no authorities, and is of use for nothing else', async () => {
    const shown = await runOk(['openssl', 'x509', '-noout', '-text', '-in', at('one', 'ca.crt')]);
    expect(shown).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
    expect(shown).toMatch(/Key Usage: critical\s+Certificate Sign\n/);
    expect(shown).toContain('ASN1 OID: prime256v1');
  });

  it('a key is one, and of its leaf', async () => {
    const ofKey = await runOk(['openssl', 'pkey', '-pubout', '-in', at('one', 'tls.key')]);
    const ofLeaf = await runOk(['openssl', 'x509', '-noout', '-pubkey', '-in', at('one', 'tls.crt')]);
    expect(ofKey).toBe(ofLeaf);
  });
});
