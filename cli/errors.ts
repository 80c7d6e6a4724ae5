import { CodedError } from '@gatehouse/lib/errors.ts';

export const cliErrorCodes = {
  store_failed: 'The PostgreSQL that `gatehouse start` brings along cannot be started.',
  source_unknown: 'There is no image, folder or container runtime of the name that a command was given.',
  store_in_use: 'The data folder is that of a `gatehouse start` that runs.',
} as const;

export class CliError extends CodedError<keyof typeof cliErrorCodes> {}
