import { CodedError } from '@gatehouse/lib/errors.ts';

export const coreClientErrorCodes = {
  core_unavailable:
    'The core cannot be reached, or did not answer in time. The caller tries again by itself.',
  core_failed: 'The core is there, but could not do this; its log says why. The same call will fail again.',
  core_refused: 'The core does not accept the token, or does not let its owner do this.',
  core_rejected: 'The core found the request wrong; sending it again will not help.',
  credentials_unreadable: 'The file with the token or with the certificate authority cannot be read.',
} as const;

export class CoreClientError extends CodedError<keyof typeof coreClientErrorCodes> {}
