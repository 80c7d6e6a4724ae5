import { CodedError } from '@gatehouse/lib/errors.ts';

export const agentErrorCodes = {
  no_runtime: 'No container runtime answers at the sockets that were tried.',
  not_kubelets:
    'The runtimes that answer do not run the pod that the agent is in, so the kubelet uses another one.',
  runtime_failed: 'The container runtime answered a call with an error, or in a form that is not understood.',
  storage_unreadable:
    'A folder of containers-storage is none, or has records of a form that is not understood.',
  image_gone: 'The image is no longer on the node.',
  cataloger_died: 'The process that reads layers took too much memory or time, or crashed.',
  layer_unreadable:
    'A layer lies neither in a folder nor in a blob that could be read on this node, and no registry gave it.',
  layer_hindered:
    'Something that may pass kept a layer from being read on this node, such as an error of its disk; it is tried again.',
  outbox_unusable:
    'The folder for fragments that wait for the core cannot be read or written; the agent goes on without.',
} as const;

export class AgentError extends CodedError<keyof typeof agentErrorCodes> {}
