export type { CoreEndpoint } from './connection.ts';
export {
  CoreClient,
  type ImageDescription,
  type LayerUpload,
  type MissingLayers,
  type NodeReport,
  type RuntimeFacts,
  type VerdictChange,
  type VerdictFollower,
  type VerdictPosition,
} from './core-client.ts';
export { type Renewed, renewedFile } from './credentials.ts';
export { CoreClientError, coreClientErrorCodes } from './errors.ts';
