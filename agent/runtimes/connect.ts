import type { Log } from '@gatehouse/lib/log.ts';
import { AgentError } from '../errors.ts';
import { Containerd } from './containerd.ts';
import { Docker } from './docker.ts';
import type { Runtime } from './runtime.ts';

/** Where to look for container runtimes; an empty socket means not to. */
export interface RuntimeSockets {
  readonly containerdSocket: string;
  readonly containerdRoot: string;
  readonly containerdState: string;
  readonly hostRoot: string;
  readonly dockerSocket: string;
}

/** A runtime that starts together with the agent takes seconds to answer. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Docker may keep images there, whether or not that is looked at for itself. */
const MACHINES_CONTAINERD = '/run/containerd/containerd.sock';

/** All runtimes that answer. Throws AgentError `no_runtime` if none does. */
export async function connectRuntimes(sockets: RuntimeSockets, log: Log): Promise<readonly Runtime[]> {
  const {
    containerdSocket: socket,
    containerdRoot: root,
    containerdState: state,
    hostRoot,
    dockerSocket,
  } = sockets;
  const signal = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  const found = await Promise.all([
    socket === '' ? undefined : Containerd.connect({ socket, root, state, hostRoot }, log, signal),
    dockerSocket === ''
      ? undefined
      : Docker.connect(
          { socket: dockerSocket, containerdSocket: socket || MACHINES_CONTAINERD, containerdRoot: root },
          log,
        ),
  ]);
  const runtimes = found.filter((runtime) => runtime !== undefined);
  if (runtimes.length > 0) return runtimes;
  const tried = [socket, dockerSocket].filter((each) => each !== '').join(' and ');
  throw new AgentError(
    'no_runtime',
    `no container runtime answers at ${tried || 'any socket, for none is set'}`,
    {
      hint: 'Start containerd or Docker, or give the socket with --containerd-socket or --docker-socket.',
    },
  );
}
