import { CodedError } from '@gatehouse/lib/errors.ts';

export const registryErrorCodes = {
  reference_invalid: 'A text is not the name of an image as Docker writes it.',
  registry_unreachable: 'A registry does not answer, breaks off, or cannot prove who it is.',
  registry_denied: 'A registry wants other credentials for what was asked of it, or any at all.',
  registry_absent: 'A registry has no such image, or no such part of one.',
  registry_unavailable: 'A registry answers that it has too much to do, or that it fails.',
  registry_answer_invalid: 'A registry answers other than the OCI distribution specification has it.',
  content_mismatch: 'What a registry sends does not have the digest or the size that it is known by.',
  content_too_large: 'What a registry sends, or announces, is larger than anything that is read.',
  image_unsupported:
    'An image is of a form that is not read: schema 1, or with layers that are not distributed.',
  credentials_unreadable:
    'The credentials for registries cannot be read, or are not of the form that Docker writes.',
} as const;

type RegistryErrorCode = keyof typeof registryErrorCodes;

export class RegistryError extends CodedError<RegistryErrorCode> {
  /** How long the registry wants to be left alone, in milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(
    code: RegistryErrorCode,
    message: string,
    options: { cause?: unknown; hint?: string; retryAfter?: number | undefined } = {},
  ) {
    super(code, message, options);
    this.retryAfter = options.retryAfter;
  }

  /** Whether the same may succeed a little later. */
  get isTransient(): boolean {
    return this.code === 'registry_unreachable' || this.code === 'registry_unavailable';
  }
}

/** The failure of the last place, with what kept those before it from giving the same. */
export function withMirrors(error: RegistryError, failures: readonly string[]): RegistryError {
  if (failures.length === 0) return error;
  return new RegistryError(error.code, `${error.message} (mirrors: ${failures.join('; ')})`, {
    cause: error.cause,
    ...(error.hint !== undefined && { hint: error.hint }),
    retryAfter: error.retryAfter,
  });
}
