import { beforeAll, describe, expect, it } from 'vitest';
import type { AdmissionRequest } from './admission-request.ts';
import { readBundle } from './bundle.ts';
import { type Decision, type DecisionFacts, decide, MAX_IMAGES } from './decide.ts';
import { Policy } from './policy.ts';
import { parseVerdict } from './verdict.ts';
import { VerdictIndex } from './verdict-index.ts';

const digestOf = (letter: string): string => `sha256:${letter.repeat(64)}`;
const defaultBundle = new URL('default.tar.gz', import.meta.url).pathname;

const lodash = {
  id: 'CVE-2019-10744',
  aliases: ['GHSA-jf85-cpcp-j695'],
  purl: 'pkg:npm/lodash@4.17.11',
  severity: 'critical',
  fixedIn: '4.17.12',
};
const bad = { state: 'ready', counts: { critical: 1 }, fixable: { critical: 1 }, findings: [lodash] };

let policy: Policy;
const verdicts = new VerdictIndex(1_000_000);

beforeAll(async () => {
  policy = await Policy.load(await readBundle(defaultBundle));
  const known = [
    { digest: digestOf('a'), aliases: ['bad:1', `docker.io/library/bad@${digestOf('1')}`], verdict: bad },
    {
      digest: digestOf('b'),
      aliases: ['good:1', `docker.io/library/good@${digestOf('2')}`],
      verdict: { state: 'ready' },
    },
  ];
  for (const { digest, aliases, verdict } of known) {
    verdicts.set({ digest, aliases, verdict: JSON.stringify(parseVerdict(verdict)) });
  }
});

function pod(...references: string[]): Record<string, unknown> {
  return {
    metadata: { name: 'web' },
    spec: { containers: references.map((image, index) => ({ name: `c${index}`, image })) },
  };
}

function request(changes: Partial<AdmissionRequest>): AdmissionRequest {
  return {
    uid: 'u-1',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    operation: 'CREATE',
    namespace: 'shop',
    object: pod('good:1'),
    oldObject: null,
    ...changes,
  };
}

function decided(changes: Partial<AdmissionRequest>, facts: Partial<DecisionFacts> = {}): Decision {
  return decide(policy, {
    request: request(changes),
    verdicts,
    namespaceLabels: { 'gatehouse.dev/mode': 'enforce' },
    defaults: { mode: 'audit', unknown: 'allow' },
    cluster: 'test',
    now: new Date('2026-01-02T03:04:05Z'),
    ...facts,
  });
}

const deployment = {
  kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
  object: { spec: { template: pod('bad:1') } },
};

describe('a decision', () => {
  it('denies a vulnerable pod in enforce, and says which container, image, advisory and fix', () => {
    const decision = decided({ object: pod('good:1', 'bad:1') });
    expect(decision).toMatchObject({ outcome: 'deny', allowed: false, warnings: [] });
    expect(decision.reasons).toHaveLength(1);
    expect(decision.reasons[0]?.message).toMatch(
      /container c1: bad:1 .* CVE-2019-10744 in npm\/lodash@4\.17\.11 \(fixed in 4\.17\.12\)/,
    );
  });

  it('allows a clean pod without a word', () => {
    expect(decided({})).toMatchObject({ outcome: 'allow', allowed: true, reasons: [], warnings: [] });
  });

  it.each([
    ['warn', { outcome: 'warn', allowed: true }, 1],
    ['audit', { outcome: 'audit', allowed: true }, 0],
  ])('of a vulnerable pod in %s only says or counts it', (mode, expected, warnings) => {
    const decision = decided({ object: pod('bad:1') }, { namespaceLabels: { 'gatehouse.dev/mode': mode } });
    expect(decision).toMatchObject(expected);
    expect(decision.reasons).toHaveLength(1);
    expect(decision.warnings).toHaveLength(warnings);
  });

  it('looks at nothing where the mode is off', () => {
    const decision = decided({ object: pod('bad:1') }, { namespaceLabels: { 'gatehouse.dev/mode': 'off' } });
    expect(decision).toMatchObject({ outcome: 'exempt', allowed: true, reasons: [] });
  });

  it('follows the default mode where the namespace has no label', () => {
    const decision = decided(
      { object: pod('bad:1') },
      { namespaceLabels: {}, defaults: { mode: 'enforce', unknown: 'allow' } },
    );
    expect(decision.outcome).toBe('deny');
  });

  it('follows the mode that the API server read, before what labels were last seen', () => {
    const decision = decided({ object: pod('bad:1') }, { namespaceLabels: {}, mode: 'enforce' });
    expect(decision.outcome).toBe('deny');
  });

  it('warns of a label whose value does not exist, which would otherwise pass for the default', () => {
    const decision = decided(
      {},
      { namespaceLabels: { 'gatehouse.dev/mode': 'enforced' }, defaults: { mode: 'warn', unknown: 'allow' } },
    );
    expect(decision.warnings).toEqual([
      "namespace label gatehouse.dev/mode is 'enforced', which is none of enforce, warn, audit, off",
    ]);
  });

  it('admits a workload with a warning, for its pods are what is denied', () => {
    const decision = decided(deployment);
    expect(decision).toMatchObject({ outcome: 'warn', allowed: true });
    expect(decision.warnings[0]).toMatch(/^pods of this Deployment will be denied: container c0: bad:1/);
  });

  it.each([
    ['an init container', { spec: { initContainers: [{ name: 'i', image: 'bad:1' }] } }],
    ['a debug container', { spec: { ephemeralContainers: [{ name: 'd', image: 'bad:1' }] } }],
    ['an image volume', { spec: { volumes: [{ name: 'v', image: { reference: 'bad:1' } }] } }],
  ])('counts %s like any other image', (_what, object) => {
    expect(decided({ object }).outcome).toBe('deny');
  });

  it.each([['bad:1'], [`bad@${digestOf('1')}`], [`bad:other@${digestOf('1')}`], [digestOf('a')]])(
    'is the same for the image named as %s',
    (reference) => {
      expect(decided({ object: pod(reference) }).outcome).toBe('deny');
    },
  );
});

describe('an image without a verdict', () => {
  const unknown = { object: pod('nobody/knows:1') };

  it('passes where unknown images are allowed', () => {
    expect(decided(unknown).outcome).toBe('allow');
  });

  it('is denied where the namespace admits known images only', () => {
    const labels = { 'gatehouse.dev/mode': 'enforce', 'gatehouse.dev/unknown': 'deny' };
    const decision = decided(unknown, { namespaceLabels: labels });
    expect(decision.outcome).toBe('deny');
    expect(decision.reasons[0]?.code).toBe('image_unknown');
  });

  it('may be one whose reference no runtime could pull', () => {
    const labels = { 'gatehouse.dev/mode': 'enforce', 'gatehouse.dev/unknown': 'deny' };
    expect(decided({ object: pod('No Such Thing') }, { namespaceLabels: labels }).outcome).toBe('deny');
  });
});

describe('an update', () => {
  const update = { operation: 'UPDATE' as const };

  it('that brings no new image passes, whatever is known of the old ones by now', () => {
    const object = { ...pod('bad:1'), metadata: { finalizers: [] } };
    expect(decided({ ...update, object, oldObject: pod('bad:1') }).outcome).toBe('exempt');
  });

  it('that adds a debug container is judged by that container', () => {
    const old = pod('bad:1');
    const withDebugger = (image: string) => ({
      spec: { ...(old.spec as object), ephemeralContainers: [{ name: 'debugger', image }] },
    });
    expect(decided({ ...update, object: withDebugger('good:1'), oldObject: old }).outcome).toBe('allow');
    expect(decided({ ...update, object: withDebugger('bad:1'), oldObject: old }).outcome).toBe('deny');
  });

  it('that swaps a container to a vulnerable image is denied', () => {
    expect(decided({ ...update, object: pod('bad:1'), oldObject: pod('good:1') }).outcome).toBe('deny');
  });

  it('of an object that is being deleted passes', () => {
    const object = { ...pod('bad:1'), metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } };
    expect(decided({ ...update, object, oldObject: pod('good:1') }).outcome).toBe('exempt');
  });
});

describe('what cannot be stopped or runs nothing passes', () => {
  it('a deletion, which has no object', () => {
    expect(decided({ operation: 'DELETE', object: null, oldObject: pod('bad:1') }).outcome).toBe('exempt');
  });

  it('a connection such as exec', () => {
    const kind = { group: '', version: 'v1', kind: 'PodExecOptions' };
    expect(decided({ operation: 'CONNECT', kind, object: { container: 'app' } }).outcome).toBe('exempt');
  });

  it("the kubelet's mirror of a static pod, but not a mirror made up by somebody else", () => {
    const object = { ...pod('bad:1'), metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } };
    expect(decided({ object, userInfo: { username: 'system:node:n1' } }).outcome).toBe('exempt');
    expect(decided({ object, userInfo: { username: 'mallory' } }).outcome).toBe('deny');
  });

  it('but not a creation that claims to be a deletion', () => {
    const object = { ...pod('bad:1'), metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } };
    expect(decided({ object }).outcome).toBe('deny');
  });
});

describe('the patch', () => {
  it('puts the digest behind a known tag, in enforce', () => {
    expect(decided({ object: pod('good:1') }).patch).toEqual([
      { op: 'replace', path: '/spec/containers/0/image', value: `good:1@${digestOf('2')}` },
    ]);
  });

  it('leaves alone what is pinned, what is unknown, workloads, and namespaces that do not enforce', () => {
    expect(decided({ object: pod(`good:1@${digestOf('2')}`) }).patch).toEqual([]);
    expect(decided({ object: pod('nobody/knows:1') }).patch).toEqual([]);
    expect(decided({ ...deployment, object: { spec: { template: pod('good:1') } } }).patch).toEqual([]);
    expect(decided({}, { namespaceLabels: { 'gatehouse.dev/mode': 'warn' } }).patch).toEqual([]);
  });

  it('pins a tag of several platforms to the index that they share, and to nothing if they share none', () => {
    const index = `two@${digestOf('9')}`;
    const platforms = new VerdictIndex(1_000_000);
    const verdict = JSON.stringify(parseVerdict({ state: 'ready' }));
    platforms.set({ digest: digestOf('c'), aliases: ['two:1', index, `two@${digestOf('3')}`], verdict });
    platforms.set({ digest: digestOf('d'), aliases: ['two:1', index, `two@${digestOf('4')}`], verdict });
    expect(decided({ object: pod('two:1') }, { verdicts: platforms }).patch).toMatchObject([
      { value: `two:1@${digestOf('9')}` },
    ]);
    platforms.set({ digest: digestOf('d'), aliases: ['two:1', `two@${digestOf('4')}`], verdict });
    expect(decided({ object: pod('two:1') }, { verdicts: platforms }).patch).toEqual([]);
  });

  it('names the tag that is implied', () => {
    const latest = new VerdictIndex(1_000_000);
    const verdict = JSON.stringify(parseVerdict({ state: 'ready' }));
    latest.set({ digest: digestOf('c'), aliases: ['app:latest', `app@${digestOf('3')}`], verdict });
    expect(decided({ object: pod('app') }, { verdicts: latest }).patch).toMatchObject([
      { value: `app:latest@${digestOf('3')}` },
    ]);
  });
});

describe('an image id cut short, which any node may take for an image of its own', () => {
  it.each(['sha256:a', `sha256:${'a'.repeat(12)}`, `sha256:${'a'.repeat(63)}`])('is denied: %s', (image) => {
    const decision = decided(
      { object: pod('good:1', image) },
      { defaults: { mode: 'audit', unknown: 'allow' } },
    );
    expect(decision.allowed).toBe(false);
    expect(decision.reasons).toMatchObject([{ code: 'image_id_shortened', image }]);
  });

  it('is named beside what else is wrong, and as the mode has it', () => {
    const audited = decided({ object: pod('bad:1', 'sha256:ab') }, { namespaceLabels: {} });
    expect(audited).toMatchObject({ allowed: true, outcome: 'audit' });
    expect(audited.reasons.map(({ code }) => code)).toEqual(['image_id_shortened', 'critical_fixable']);
  });

  it('is not what a whole id is, nor a repository that is called so', () => {
    for (const image of [digestOf('b'), 'registry.test/sha256:ab', 'sha256:latest']) {
      expect(decided({ object: pod(image) }).allowed).toBe(true);
    }
  });
});

describe('a label that says nothing', () => {
  it('is told even where nobody is warned of anything else, for it may have been meant to enforce', () => {
    const namespaceLabels = { 'gatehouse.dev/mode': 'Enforce' };
    expect(decided({ object: pod('bad:1') }, { namespaceLabels })).toMatchObject({
      outcome: 'audit',
      warnings: [expect.stringContaining("'Enforce'")],
    });
  });
});

describe('a pod beyond all measure', () => {
  it('is denied without an evaluation if no store could keep it', () => {
    const object = { ...pod('good:1'), pad: Array<string>(1_800_000).fill('') };
    const decision = decided({ object });
    expect(decision).toMatchObject({ allowed: false, outcome: 'error' });
    expect(decision.reasons[0]?.message).toContain('more than can be stored');
  });

  it('is denied without an evaluation', () => {
    const decision = decided({ object: pod(...Array.from({ length: MAX_IMAGES + 1 }, () => 'good:1')) });
    expect(decision.reasons[0]?.code).toBe('too_many_images');
    expect(decision.allowed).toBe(false);
  });
});

describe('several platforms behind one tag', () => {
  it('are all judged, and one vulnerable one suffices', () => {
    const platforms = new VerdictIndex(1_000_000);
    platforms.set({
      digest: digestOf('c'),
      aliases: ['two:1'],
      verdict: JSON.stringify(parseVerdict({ state: 'ready' })),
    });
    platforms.set({ digest: digestOf('d'), aliases: ['two:1'], verdict: JSON.stringify(parseVerdict(bad)) });
    expect(decided({ object: pod('two:1') }, { verdicts: platforms }).outcome).toBe('deny');
  });
});
