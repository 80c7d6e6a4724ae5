import { CodedError } from '@gatehouse/lib/errors.ts';

export const coreErrorCodes = {
  invalid_request: 'A request has a field of the wrong form; the message names it.',
  not_found: 'There is no such thing in the store.',
  unauthenticated:
    'The token is missing, expired, for another audience, or of an issuer that the core does not know.',
  forbidden: 'The token is good, but its owner may not do this.',
  layer_broken: 'An upload was cut short, does not have the announced digest, or holds no fragment.',
  upload_not_kept: 'An upload goes on from more than is kept of it; the agent sends it from its beginning.',
  layer_not_expected: 'A node sent a layer of an image that it has not named before.',
  too_many_unproven:
    'A node has too many images that nothing but its word tells of; this one is not made known.',
  sbom_invalid:
    'What was uploaded is not an SBOM of a format that is read, or it names no package; the message says where.',
  sbom_of_another_image: 'An uploaded SBOM says that it is about another image than it was uploaded for.',
  busy: 'Too many large requests are being read; the same request will do in a moment.',
  feeds_unreadable: 'The feeds cannot be read; what was imported before stays in force.',
  store_unavailable: 'PostgreSQL cannot be reached or refuses the connection.',
  schema_too_new: 'The schema was migrated by a newer release; this one would misread it.',
  schema_too_old: 'PostgreSQL is older than 15.',
  schema_differs:
    'A migration that the store has gone through reads differently in this build; the schema is not what it expects.',
} as const;

export type CoreErrorCode = keyof typeof coreErrorCodes;

export class CoreError extends CodedError<CoreErrorCode> {}
