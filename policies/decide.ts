import { explain } from '@gatehouse/lib/errors.ts';
import type { AdmissionRequest } from './admission-request.ts';
import { PolicyError } from './errors.ts';
import { type FoundImage, findImage } from './found-image.ts';
import { bearsImages, imagesOf, type NamedImage } from './images.ts';
import { type Mode, type NamespaceSettings, settingsOf, type UnknownChoice } from './namespace-settings.ts';
import { pinTags } from './pin.ts';
import type { Judgement, PatchOperation, Policy, Reason } from './policy.ts';
import { isShortenedId } from './reference.ts';
import type { VerdictSource } from './verdict-index.ts';

/** Everything that a decision rests on. */
export interface DecisionFacts {
  readonly request: AdmissionRequest;
  readonly verdicts: VerdictSource;
  /** The labels of the request's namespace. */
  readonly namespaceLabels: Readonly<Record<string, string>>;
  /** What a namespace without labels gets. */
  readonly defaults: NamespaceSettings;
  /** The mode that the API server itself has read from the namespace, if it says; it wins over the labels. */
  readonly mode?: Mode;
  readonly cluster: string;
  readonly now: Date;
}

/**
 * How a request ended. `exempt`: nothing to judge (no images, nothing new, being deleted, mode off);
 * `allow`: judged and found good; `audit`, `warn`, `deny`: found bad, in the mode's consequence;
 * `error`: the policy failed, with the consequence of something bad.
 */
export type Outcome = 'exempt' | 'allow' | 'audit' | 'warn' | 'deny' | 'error';

export interface Decision {
  readonly outcome: Outcome;
  readonly mode: Mode;
  readonly allowed: boolean;
  /** What the policy found bad, whatever the mode makes of it. */
  readonly reasons: readonly Reason[];
  /** For the person whose request it was. */
  readonly warnings: readonly string[];
  /** For the mutating webhook: pinned tags, then what the policy patches. */
  readonly patch: readonly PatchOperation[];
}

/**
 * etcd takes objects of 1.5 MiB; an update brings two. A policy takes up to a second for each three megabytes, and
 * other reviews wait for it.
 */
const MAX_OBJECTS_CHARACTERS = 3_500_000;

/** A pod of more images than this is not a workload; it would cost every other request its time. */
export const MAX_IMAGES = 256;

/**
 * The decision on an admission request, from what is in memory alone. Never throws on a valid request: a policy that
 * fails gives `error`, which denies where the mode is `enforce`.
 */
export function decide(policy: Policy, facts: DecisionFacts): Decision {
  const settings = settingsOf(facts.namespaceLabels, facts.defaults);
  const mode = facts.mode ?? settings.mode;
  const images = mode === 'off' ? [] : imagesToJudge(facts.request);
  if (images.length === 0)
    return { outcome: 'exempt', mode, allowed: true, reasons: [], warnings: [], patch: [] };

  const found = images.map((image) => findImage(image, facts.verdicts));
  const { judgement, failed } = judge(policy, { facts, mode, unknown: settings.unknown, found });
  const isPod = facts.request.kind.kind === 'Pod';
  const outcome = outcomeOf(mode, judgement, { failed, isPod });
  return {
    outcome,
    mode,
    allowed: !(judgement.deny.length > 0 && mode === 'enforce' && isPod),
    reasons: judgement.deny,
    warnings: [
      // Somebody meant something by a label that says nothing, and gets the default.
      ...settings.mistakes,
      ...(mode === 'audit' ? [] : warningsOf(judgement, { mode, isPod, facts })),
    ],
    patch: isPod && mode === 'enforce' ? [...pinTags(found), ...(judgement.patch ?? [])] : [],
  };
}

/** The images that the request would bring into the cluster. */
function imagesToJudge(request: AdmissionRequest): readonly NamedImage[] {
  const { operation, kind, object, oldObject } = request;
  const bringsImages = (operation === 'CREATE' || operation === 'UPDATE') && bearsImages(kind);
  if (!bringsImages || !object || isMirror(request)) return [];
  const images = imagesOf(kind, object);
  if (operation === 'CREATE' || !oldObject) return images;
  // What already runs is not stopped by refusing a change of something else: a finalizer must come off,
  // and a debug container must get in, whatever a newer verdict says of the pod's other images.
  if (metadataOf(object).deletionTimestamp) return [];
  const present = new Set(imagesOf(kind, oldObject).map(identity));
  return images.filter((image) => !present.has(identity(image)));
}

function identity(image: NamedImage): string {
  return JSON.stringify([image.position, image.container, image.reference]);
}

/** The picture that the kubelet puts into the API server of a static pod, which runs already and cannot be stopped. */
function isMirror({ object, userInfo }: AdmissionRequest): boolean {
  const isKubelet = String(userInfo?.username).startsWith('system:node:');
  return isKubelet && metadataOf(object).annotations?.['kubernetes.io/config.mirror'] !== undefined;
}

function metadataOf(object: AdmissionRequest['object']): {
  readonly deletionTimestamp?: unknown;
  readonly annotations?: Readonly<Record<string, unknown>>;
} {
  return object?.metadata ?? {};
}

interface Judged {
  readonly facts: DecisionFacts;
  readonly mode: Mode;
  readonly unknown: UnknownChoice;
  readonly found: readonly FoundImage[];
}

function judge(policy: Policy, parts: Judged): { judgement: Judgement; failed: boolean } {
  if (parts.found.length > MAX_IMAGES) {
    const message = `the object names ${parts.found.length} images; no more than ${MAX_IMAGES} are judged`;
    return { judgement: { deny: [{ code: 'too_many_images', message }], warn: [] }, failed: false };
  }
  try {
    const { deny, ...others } = policy.judge(policyInput(parts));
    return { judgement: { ...others, deny: [...shortenedIds(parts.found), ...deny] }, failed: false };
  } catch (error) {
    // Besides the policy itself, an object nested too deep for JSON.stringify ends here.
    const message = `the request could not be judged: ${explain(error)}`;
    return { judgement: { deny: [{ code: 'policy_failed', message }], warn: [] }, failed: true };
  }
}

/** No policy can know what these are. */
function shortenedIds(found: readonly FoundImage[]): Reason[] {
  return found
    .filter(({ reference }) => isShortenedId(reference))
    .map(({ container, reference }) => ({
      code: 'image_id_shortened',
      message:
        `${container}: ${reference} is an image id cut short, which each node takes for whatever image of its own ` +
        'fits; name the image by its tag or its whole digest',
      image: reference,
    }));
}

/** The input document of the policy, as JSON: verdicts are JSON already and are spliced in as they are. */
function policyInput({ facts, mode, unknown, found }: Judged): string {
  const { request } = facts;
  const age = Math.max(0, Math.floor((facts.now.getTime() - facts.verdicts.confirmedAt) / 1000));
  const images = found.flatMap(({ container, position, reference, candidates }) => {
    const name = `"container":${JSON.stringify(container)},"position":"${position}","reference":${JSON.stringify(reference)}`;
    if (candidates.length === 0) return `{${name},"digest":null,"verdict":null,"verdictAgeSeconds":null}`;
    return candidates.map(
      ({ digest, verdict }) =>
        `{${name},"digest":"${digest}","verdict":${verdict},"verdictAgeSeconds":${age}}`,
    );
  });
  const rest = JSON.stringify({
    request: {
      uid: request.uid,
      operation: request.operation,
      kind: request.kind,
      resource: request.resource,
      subResource: request.subResource ?? null,
      namespace: request.namespace ?? null,
      name: request.name ?? null,
      userInfo: request.userInfo ?? null,
      dryRun: request.dryRun ?? false,
      object: withoutBookkeeping(request.object),
      oldObject: withoutBookkeeping(request.oldObject),
    },
    namespace: { name: request.namespace ?? null, labels: facts.namespaceLabels },
    cluster: facts.cluster,
    mode,
    unknown,
    now: facts.now.toISOString(),
  });
  if (rest.length > MAX_OBJECTS_CHARACTERS) {
    throw new PolicyError(
      'policy_failed',
      `the object has ${rest.length} characters, more than can be stored`,
    );
  }
  return `${rest.slice(0, -1)},"images":[${images.join(',')}]}`;
}

/** Field managers and kubectl's copy of the object can be larger than the object, and say nothing of it. */
function withoutBookkeeping(object: AdmissionRequest['object']): object | null {
  if (!object) return null;
  const { metadata, ...content } = object as { metadata?: Readonly<Record<string, unknown>> };
  if (!metadata) return object;
  const { managedFields: _managed, annotations, ...kept } = metadata;
  if (!annotations) return { ...content, metadata: kept };
  const { 'kubectl.kubernetes.io/last-applied-configuration': _applied, ...others } =
    annotations as object & {
      'kubectl.kubernetes.io/last-applied-configuration'?: unknown;
    };
  return { ...content, metadata: { ...kept, annotations: others } };
}

function outcomeOf(mode: Mode, judgement: Judgement, how: { failed: boolean; isPod: boolean }): Outcome {
  if (how.failed) return 'error';
  if (judgement.deny.length === 0) return 'allow';
  if (mode === 'enforce') return how.isPod ? 'deny' : 'warn';
  return mode === 'warn' ? 'warn' : 'audit';
}

/**
 * A workload is admitted with a warning even where its pods will be denied: denying it would hide the reason in the
 * controller that made it, and a policy change would find no workload to start again.
 */
function warningsOf(
  judgement: Judgement,
  { mode, isPod, facts }: { mode: Mode; isPod: boolean; facts: DecisionFacts },
): string[] {
  const warnings = judgement.warn.map((reason) => reason.message);
  if (mode === 'enforce' && isPod) return warnings;
  const subject = isPod ? '' : `pods of this ${facts.request.kind.kind} `;
  const tense = mode === 'enforce' ? 'will' : 'would';
  const prefix = `${subject}${tense} be denied`;
  return [...judgement.deny.map((reason) => `${prefix}: ${reason.message}`), ...warnings];
}
