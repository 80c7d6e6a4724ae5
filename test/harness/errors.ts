import { CodedError } from '@gatehouse/lib/errors.ts';

export const harnessErrorCodes = {
  system_unsuitable:
    'The machine cannot hold a cluster: not Linux, not root, or without what namespaces need.',
  tool_missing: 'A program that a cluster needs is not there and could not be installed.',
  build_failed: 'A program of the cluster did not build from its source.',
  command_failed: 'A command that the harness ran ended with an error.',
  component_failed: 'A component of the cluster ended, or did not become ready in time.',
  wait_failed: 'What was waited for did not come about in time.',
  cluster_taken: 'No cluster can be added: the name is in use, or all places are.',
  cluster_unknown: 'No cluster of this name runs on the machine.',
  image_unusable: 'A folder or file is not an image that a node can load.',
  manifests_unusable: 'There is no overlay of this name, or kustomize cannot render it.',
} as const;

export class HarnessError extends CodedError<keyof typeof harnessErrorCodes> {}
