import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ensureLocalCertificates, type LocalCertificate } from '@gatehouse/certs';
import { noLog } from '@gatehouse/lib/log.ts';
import { defaultBundle, Policy, parseVerdict, readBundle, VerdictIndex } from '@gatehouse/policies';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Drain } from './drain.ts';
import { createWebhookMetrics } from './metrics.ts';
import { createReviewServer, listen, MAX_REVIEW_BYTES } from './server.ts';

let folder: string;
let certificate: LocalCertificate;
let server: FastifyInstance;
let port: number;
const verdicts = new VerdictIndex(1_000_000);
const drain = new Drain();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-webhook-'));
  certificate = await ensureLocalCertificates(folder, ['localhost'], noLog);
  const finding = {
    id: 'CVE-2021-44906',
    purl: 'pkg:npm/minimist@1.2.0',
    severity: 'critical',
    fixedIn: '1.2.6',
  };
  verdicts.set({
    digest: `sha256:${'a'.repeat(64)}`,
    aliases: ['bad:1', `bad@sha256:${'1'.repeat(64)}`],
    verdict: JSON.stringify(parseVerdict({ state: 'ready', fixable: { critical: 1 }, findings: [finding] })),
  });
  server = createReviewServer(certificate.current(), {
    policy: await Policy.load(await readBundle(defaultBundle)),
    facts: async () => ({
      verdicts,
      namespaceLabels: {},
      defaults: { mode: 'warn', unknown: 'allow' },
      cluster: 'test',
    }),
    metrics: createWebhookMetrics(verdicts),
    drain,
    log: noLog,
  });
  port = await listen(server, { host: '127.0.0.1', port: 0 });
});

afterAll(async () => {
  await server?.close();
  await certificate?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

async function post(
  path: string,
  body: string | Buffer,
  headers: Record<string, string | string[]> = {},
): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const { bundle } = certificate.current();
  const options = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, ca: bundle };
  const sent = request(`https://localhost:${port}${path}`, { ...options, agent: new Agent() }, (response) => {
    text(response).then(
      (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      reject,
    );
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

function review(request: object): string {
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
}

const pod = (image: string): object => ({
  uid: 'u-1',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: { group: '', version: 'v1', resource: 'pods' },
  operation: 'CREATE',
  namespace: 'shop',
  object: { metadata: { name: 'web' }, spec: { containers: [{ name: 'app', image }] } },
  oldObject: null,
});

const MESSAGE =
  'container app: bad:1 has critical vulnerabilities with a fix (1): CVE-2021-44906 in npm/minimist@1.2.0 (fixed in 1.2.6)';

function answer(response: string): string {
  return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":${response}}`;
}

describe('an answer to /validate', () => {
  it('denies in the body and with HTTP 200, since any other status would be a failed call', async () => {
    const reply = await post('/validate/enforce', review(pod('bad:1')));
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toMatch(/^application\/json/);
    expect(reply.body).toBe(
      answer(
        `{"uid":"u-1","allowed":false,"status":{"code":403,"reason":"Forbidden","message":"${MESSAGE}"},` +
          `"auditAnnotations":{"outcome":"deny","mode":"enforce","reasons":"${MESSAGE}"}}`,
      ),
    );
  });

  it('allows with nothing but the uid and what goes into the audit log', async () => {
    const reply = await post('/validate/enforce', review(pod('unknown:1')));
    expect(reply.body).toBe(
      answer('{"uid":"u-1","allowed":true,"auditAnnotations":{"outcome":"allow","mode":"enforce"}}'),
    );
  });

  it('warns where the path names no mode and the namespace is to be warned', async () => {
    const reply = await post('/validate', review(pod('bad:1')));
    expect(JSON.parse(reply.body)).toMatchObject({
      response: { uid: 'u-1', allowed: true, warnings: [`would be denied: ${MESSAGE}`] },
    });
  });

  it('never bears a patch, which a validating answer must not', async () => {
    const reply = await post('/validate/enforce', review({ ...pod('bad:1'), dryRun: true }));
    expect(reply.body).not.toContain('patch');
  });

  it('takes the timeout that the API server sends along', async () => {
    expect((await post('/validate/enforce?timeout=3s', review(pod('unknown:1')))).status).toBe(200);
  });

  it.each([[], 'nonsense'])('does not depend on a content type: %j', async (type) => {
    const headers = { 'content-type': type };
    expect((await post('/validate', review(pod('unknown:1')), headers)).status).toBe(200);
  });

  it('is the same for a charset and for bytes that arrive in chunks', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8', 'transfer-encoding': 'chunked' };
    expect((await post('/validate/enforce', review(pod('bad:1')), headers)).body).toContain(
      '"allowed":false',
    );
  });
});

describe('an answer to /mutate', () => {
  it('puts the digest behind a known tag', async () => {
    const { response } = JSON.parse((await post('/mutate/enforce', review(pod('bad:1')))).body) as {
      response: { allowed: boolean; patchType: string; patch: string };
    };
    expect(response).toMatchObject({ allowed: true, patchType: 'JSONPatch' });
    expect(JSON.parse(Buffer.from(response.patch, 'base64').toString())).toEqual([
      { op: 'replace', path: '/spec/containers/0/image', value: `bad:1@sha256:${'1'.repeat(64)}` },
    ]);
  });

  it('says nothing but "allowed" where there is nothing to patch', async () => {
    const reply = await post('/mutate/enforce', review(pod('unknown:1')));
    expect(reply.body).toBe(answer('{"uid":"u-1","allowed":true}'));
  });
});

describe('broken input', () => {
  const refused = (uid: string, message: string): string =>
    answer(
      `{"uid":"${uid}","allowed":false,"status":{"code":400,"reason":"BadRequest","message":"${message}"}}`,
    );

  it.each<[string, string | Buffer, string]>([
    ['nothing', '', refused('', 'the body is empty')],
    [
      'a review that is cut off',
      review(pod('bad:1')).slice(0, 100),
      refused('', 'the body is not JSON in UTF-8'),
    ],
    [
      'bytes that are no UTF-8',
      Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
      refused('', 'the body is not JSON in UTF-8'),
    ],
    ['a number', '42', refused('', 'the body is not an admission.k8s.io/v1 AdmissionReview')],
    ['null', 'null', refused('', 'the body is not an admission.k8s.io/v1 AdmissionReview')],
    [
      'another kind',
      '{"apiVersion":"v1","kind":"Pod","request":{"uid":"u-2"}}',
      refused('u-2', 'the body is not an admission.k8s.io/v1 AdmissionReview'),
    ],
    [
      'the version before',
      review(pod('bad:1')).replace('admission.k8s.io/v1', 'admission.k8s.io/v1beta1'),
      refused('u-1', 'the body is not an admission.k8s.io/v1 AdmissionReview'),
    ],
    [
      'a review without a request',
      '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}',
      refused('', 'the admission request is not valid at /: must be object'),
    ],
    [
      'a request with an operation that does not exist',
      review({ ...pod('bad:1'), operation: 'EAT' }),
      refused(
        'u-1',
        'the admission request is not valid at /operation: must be equal to one of the allowed values',
      ),
    ],
  ])('%s gets a well-formed answer with HTTP 400', async (_what, body, expected) => {
    const reply = await post('/validate/enforce', body);
    expect(reply.status).toBe(400);
    expect(reply.body).toBe(expected);
  });

  it('of 8 MiB gets HTTP 413, and the answer arrives although the body was too long', async () => {
    // Repeated, since an answer that is lost with its connection is lost only now and then.
    for (let round = 0; round < 5; round++) {
      const reply = await post('/validate/enforce', Buffer.alloc(8 * 1024 * 1024, 0x20));
      expect(reply.status).toBe(413);
      expect(JSON.parse(reply.body)).toMatchObject({ response: { allowed: false } });
    }
  });

  it('that is large but within what the API server may send is judged', async () => {
    const padded = { ...pod('bad:1'), oldObject: { pad: 'x'.repeat(MAX_REVIEW_BYTES - 2_000) } };
    expect((await post('/validate/enforce', review(padded))).body).toContain('"allowed":false');
  });

  it('nested 100,000 deep ends in a denial, not in a crash', async () => {
    const nested = review(pod('bad:1')).replace(
      '"metadata":',
      `"deep":${'['.repeat(1e5)}${']'.repeat(1e5)},"metadata":`,
    );
    const reply = await post('/validate/enforce', nested);
    expect(reply.status).toBe(200);
    expect(JSON.parse(reply.body)).toMatchObject({
      response: { uid: 'u-1', allowed: false, auditAnnotations: { outcome: 'error' } },
    });
  });

  it('with a prototype for a key changes nothing for the next review', async () => {
    const poisoned = review(pod('unknown:1')).replace(
      '"metadata":',
      '"__proto__":{"allowed":true},"metadata":',
    );
    expect((await post('/validate/enforce', poisoned)).status).toBe(200);
    expect(({} as { allowed?: boolean }).allowed).toBeUndefined();
    expect((await post('/validate/enforce', review(pod('bad:1')))).body).toContain('"allowed":false');
  });

  it.each(['/', '/validate/sometimes', '/validate/enforce/more'])('at %s gets HTTP 404', async (path) => {
    const reply = await post(path, review(pod('bad:1')));
    expect(reply.status).toBe(404);
    expect(reply.body).toMatch(/reviews are taken by POST at \/validate and \/mutate/);
  });
});

describe('the server', () => {
  it('keeps idle connections longer than the API server does', () => {
    expect(server.server.keepAliveTimeout).toBeGreaterThan(90_000);
  });
});

describe('a drain', () => {
  it('answers on, asks each client to go, and ends when all have gone', async () => {
    const { bundle } = certificate.current();
    const agent = new Agent({ keepAlive: true });
    const send = (): Promise<string | undefined> =>
      new Promise((resolve, reject) => {
        const options = { method: 'POST', agent, ca: bundle };
        const sent = request(`https://localhost:${port}/validate/enforce`, options, (response) => {
          response.resume().on('end', () => resolve(response.headers.connection));
        });
        sent.on('error', reject);
        sent.end(review(pod('bad:1')));
      });
    expect(await send()).toBe('keep-alive');
    let ended = false;
    const ending = drain.finish(server.server, { least: 0, most: 60_000 }).then(() => {
      ended = true;
    });
    // The idle connection is still there, and it is served once more.
    expect(ended).toBe(false);
    expect(await send()).toBe('close');
    await ending;
    expect(Object.values(agent.freeSockets)).toEqual([]);
  });
});
