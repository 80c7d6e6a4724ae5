import { CodedError } from '@gatehouse/lib/errors.ts';

export const cliErrorCodes = {
  store_failed: 'The PostgreSQL that `gatehouse start` brings along cannot be started.',
} as const;

export class CliError extends CodedError<keyof typeof cliErrorCodes> {}
