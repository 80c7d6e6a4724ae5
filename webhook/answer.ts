import type { Decision } from '@gatehouse/policies';
import type { ReviewResponse } from './review.ts';

/**
 * The API server passes warnings on as HTTP headers: it drops those with control characters, and once all of a request
 * exceed 4096 characters it cuts each to 256 (k8s.io/apiserver endpoints/filters/warning.go). Other webhooks warn too,
 * so ours keep to half of that.
 */
const MAX_WARNINGS_LENGTH = 2048;
const SHORTEST_WARNING = 64;
/** An audit event holds annotations of every webhook; enough here for the three worst advisories of a few images. */
const MAX_ANNOTATION_LENGTH = 1024;

/** The answer of /validate. A denial is an answer with HTTP 200: any other status would count as a failed call. */
export function validation(uid: string, decision: Decision): ReviewResponse {
  const message = decision.reasons.map((reason) => reason.message).join('; ');
  return {
    uid,
    allowed: decision.allowed,
    ...(!decision.allowed && { status: { code: 403, reason: 'Forbidden', message } }),
    ...(decision.warnings.length > 0 && { warnings: fitWarnings(decision.warnings) }),
    auditAnnotations: {
      outcome: decision.outcome,
      mode: decision.mode,
      ...(message !== '' && { reasons: cut(message, MAX_ANNOTATION_LENGTH) }),
    },
  };
}

/** The answer of /mutate, which allows whatever comes: /validate sees the final object and judges it. */
export function mutation(uid: string, decision: Decision): ReviewResponse {
  if (decision.patch.length === 0) return { uid, allowed: true };
  const patch = Buffer.from(JSON.stringify(decision.patch)).toString('base64');
  return { uid, allowed: true, patchType: 'JSONPatch', patch };
}

/** The answer to what is no review. */
export function refusal(uid: string, code: number, message: string): ReviewResponse {
  return { uid, allowed: false, status: { code, reason: 'BadRequest', message } };
}

function fitWarnings(warnings: readonly string[]): string[] {
  const fitting: string[] = [];
  let room = MAX_WARNINGS_LENGTH;
  for (const warning of warnings) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must go.
    const line = warning.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ');
    // A few words of a sentence say less than that there is one more.
    if (room < Math.min(line.length, SHORTEST_WARNING)) break;
    fitting.push(cut(line, room));
    room -= Math.min(line.length, room);
  }
  const left = warnings.length - fitting.length;
  return left === 0 ? fitting : [...fitting, `and ${left} more`];
}

/** The text, or its beginning with an ellipsis, in at most `length` characters. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}
