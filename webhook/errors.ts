import { CodedError } from '@gatehouse/lib/errors.ts';

export const webhookErrorCodes = {
  review_unreadable: 'The body of a review is empty, too large, not UTF-8 or not JSON.',
  review_invalid: 'The body is JSON, but no admission.k8s.io/v1 AdmissionReview with a request.',
  cache_unusable: 'The folder for verdicts cannot be read or written; the webhook works on from memory.',
} as const;

export class WebhookError extends CodedError<keyof typeof webhookErrorCodes> {}
