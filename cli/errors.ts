import { CodedError } from '@gatehouse/lib/errors.ts';

export const cliErrorCodes = {
  store_failed: 'The PostgreSQL that `gatehouse start` brings along cannot be started.',
  source_unknown: 'There is no image, folder or container runtime of the name that a command was given.',
  upload_failed: 'The core cannot be reached, or does not take an SBOM; the message says why.',
  store_in_use: 'The data folder is that of a `gatehouse start` that runs.',
} as const;

export class CliError extends CodedError<keyof typeof cliErrorCodes> {}
