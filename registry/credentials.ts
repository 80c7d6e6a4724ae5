/** What proves to a registry who asks. */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** Is exchanged for tokens at the registry's server of tokens (OAuth 2 refresh token). */
  | { readonly kind: 'identity'; readonly token: string }
  /** Is what the registry takes as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/** Gives all credentials that may do for a repository, the most fitting first. */
export type CredentialSource = (
  host: string,
  repository: string,
  signal?: AbortSignal,
) => Promise<readonly Credentials[]>;

export const anonymous: CredentialSource = async () => [];
