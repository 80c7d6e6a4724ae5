import { CodedError } from '@gatehouse/lib/errors.ts';

export const certsErrorCodes = {
  name_invalid:
    'A name that a certificate is to carry is neither a DNS name nor an IP address, or there are none or too many.',
  schedule_invalid: 'The lifetime of certificates is too short for the settling time of a rotation.',
  certificate_unreadable: 'A text is not the PEM of certificates, or not of a key.',
  certificate_mismatch:
    'A certificate and its key, or a certificate and its authority, do not belong together.',
  file_unreadable: 'A file or folder of certificates cannot be read, or not be written.',
  rotation_stuck: 'The steps of a rotation do not come to rest: something undoes what each step writes.',
  target_missing: 'An object that clients take the authorities from does not exist.',
  bundle_overwritten: 'Something else keeps writing over the authorities that were published.',
  api_denied: 'The API server does not let the component do what it has to do with a named object.',
  api_conflict:
    'An object changed, or came to exist, between reading and writing it; it is read and tried again.',
  api_rejected: 'The API server found a request wrong.',
  api_unavailable: 'The API server cannot be reached, is too slow, or fails.',
} as const;

export class CertsError extends CodedError<keyof typeof certsErrorCodes> {}
