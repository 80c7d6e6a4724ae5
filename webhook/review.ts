import { type AdmissionRequest, PolicyError, parseAdmissionRequest } from '@gatehouse/policies';
import { WebhookError } from './errors.ts';

const API_VERSION = 'admission.k8s.io/v1';
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A review's request; or what is wrong with the review, and the uid that the answer must bear, if one was found. */
export type ParsedReview =
  | { readonly request: AdmissionRequest }
  | { readonly uid: string; readonly problem: WebhookError };

/** Reads the body of a review. Whatever it holds, the result is something that can be answered. */
export function parseReview(body: Buffer): ParsedReview {
  if (body.length === 0) return broken('', 'review_unreadable', 'the body is empty');
  let review: unknown;
  try {
    review = JSON.parse(utf8.decode(body));
  } catch (cause) {
    return broken('', 'review_unreadable', 'the body is not JSON in UTF-8', cause);
  }
  const { apiVersion, kind, request } = (review ?? {}) as Readonly<Record<string, unknown>>;
  const { uid } = (request ?? {}) as Readonly<Record<string, unknown>>;
  const answerTo = typeof uid === 'string' ? uid : '';
  if (apiVersion !== API_VERSION || kind !== 'AdmissionReview') {
    return broken(answerTo, 'review_invalid', `the body is not an ${API_VERSION} AdmissionReview`);
  }
  try {
    return { request: parseAdmissionRequest(request) };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return broken(answerTo, 'review_invalid', error.message, error);
  }
}

function broken(uid: string, code: WebhookError['code'], message: string, cause?: unknown): ParsedReview {
  return { uid, problem: new WebhookError(code, message, { cause }) };
}

/** The part of an AdmissionReview that goes back. */
export interface ReviewResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: {
    readonly code: number;
    readonly reason: string;
    readonly message: string;
  };
  readonly warnings?: readonly string[];
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly patchType?: 'JSONPatch';
  /** Base64 of a JSON Patch. */
  readonly patch?: string;
}

/** The body of the HTTP answer. */
export function formatReview(response: ReviewResponse): string {
  return JSON.stringify({ apiVersion: API_VERSION, kind: 'AdmissionReview', response });
}
