export { RegistryClient, type Repository } from './client.ts';
export { anonymous, type CredentialSource, type Credentials } from './credentials.ts';
export {
  credentialsIn,
  type DockerConfig,
  parseDockerConfig,
  toCredentials,
} from './docker-config.ts';
export type { RegistryDocument } from './document.ts';
export { RegistryError } from './errors.ts';
export { openRegistryImage } from './open-image.ts';
export { formatReference, parseReference, type Reference } from './reference.ts';
export {
  type Endpoint,
  plainSettings,
  type RegistrySettings,
  readSettings,
  registryOptions,
} from './settings.ts';
