import { CodedError } from '@gatehouse/lib/errors.ts';

export const policyErrorCodes = {
  bundle_unreadable: 'The file is not a gzipped tar, is too large, or cannot be opened.',
  bundle_invalid: 'The bundle lacks policy.wasm, or its program has no gatehouse/admission/decision.',
  policy_failed:
    'The policy stopped while it judged a request, or answered in a form that is not a decision.',
  verdict_invalid: 'A verdict is not of the form that policies read.',
  verdicts_unreadable: 'The verdicts file cannot be opened, or a line of it is not a verdict.',
  request_invalid:
    'An admission request lacks a field that the API server always sends, or has one of the wrong type.',
} as const;

export class PolicyError extends CodedError<keyof typeof policyErrorCodes> {}
