import { CodedError } from '@gatehouse/lib/errors.ts';

export const advisoryErrorCodes = {
  record_invalid:
    'An advisory is not JSON, or lacks or mistypes what the OSV schema requires; it is skipped.',
  record_too_large:
    'A record of a feed, or a part of it, is larger than any advisory has reason to be; it is skipped.',
  record_damaged: 'A record of a feed cannot be unpacked, or its checksum does not fit; it is skipped.',
  feed_damaged: 'A feed is not a zip archive, or its directory cannot be read.',
  feed_too_large: 'A feed holds more records or bytes than any feed has reason to hold.',
  feeds_not_found:
    'The place that should hold the feeds is neither a folder with feeds nor a usable http or https URL.',
  feed_unreachable: 'A feed cannot be read: the server does not answer, answers with an error, or stalls.',
  kev_invalid:
    'kev.json is not the catalog of known exploited vulnerabilities in the form that CISA publishes.',
  ecosystem_unknown: 'Versions of an ecosystem were to be compared whose order is not known.',
} as const;

/** What can be wrong with advisories and with the feeds that carry them. */
export class AdvisoryError extends CodedError<keyof typeof advisoryErrorCodes> {}
