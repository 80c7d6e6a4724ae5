import type { Log } from '@gatehouse/lib/log.ts';
import { AgentError } from '../errors.ts';
import { Containerd } from './containerd.ts';
import { Crio } from './crio.ts';
import { Docker } from './docker.ts';
import type { PodRuntime } from './runtime.ts';

/** Where to look for container runtimes; an empty socket means not to. */
export interface RuntimeSockets {
  readonly containerdSocket: string;
  readonly containerdRoot: string;
  readonly containerdState: string;
  readonly crioSocket: string;
  readonly crioStorage: readonly string[];
  readonly hostRoot: string;
  readonly dockerSocket: string;
  /** Of the pod that this process runs in; empty outside of clusters. */
  readonly podUid: string;
}

/** A runtime that starts together with the agent takes seconds to answer. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Docker may keep images there, whether or not that is looked at for itself. */
const MACHINES_CONTAINERD = '/run/containerd/containerd.sock';

/**
 * All runtimes that answer; in a pod the one that runs it, for that is the kubelet's. Throws AgentError `no_runtime` if
 * none does, `not_kubelets` if the pod is not there, or `storage_unreadable`.
 */
export async function connectRuntimes(sockets: RuntimeSockets, log: Log): Promise<readonly PodRuntime[]> {
  const { hostRoot, containerdRoot: root, containerdState: state, podUid } = sockets;
  const signal = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  const ways: readonly [socket: string, connect: (socket: string) => Promise<PodRuntime | undefined>][] = [
    [
      sockets.containerdSocket,
      (socket) => Containerd.connect({ socket, root, state, hostRoot }, log, signal),
    ],
    [
      sockets.crioSocket,
      (socket) => Crio.connect({ socket, storage: sockets.crioStorage, hostRoot }, log, signal),
    ],
    [
      sockets.dockerSocket,
      (socket) => {
        const containerdSocket = sockets.containerdSocket || MACHINES_CONTAINERD;
        return Docker.connect({ socket, containerdSocket, containerdRoot: root }, log);
      },
    ],
  ];
  const wanted = ways.filter(([socket]) => socket !== '');
  const answers = await Promise.all(wanted.map(([socket, connect]) => connect(socket)));
  const runtimes = answers.filter((runtime) => runtime !== undefined);
  if (runtimes.length === 0) {
    const tried = wanted.map(([socket]) => socket).join(' and ');
    throw new AgentError(
      'no_runtime',
      `no container runtime answers at ${tried || 'any socket, for none is set'}`,
      {
        hint: `Start containerd, CRI-O or Docker, or give the socket with ${FLAGS}.`,
      },
    );
  }
  return podUid === '' ? runtimes : [await kubeletsOf(runtimes, podUid, signal)];
}

const FLAGS = '--containerd-socket, --crio-socket or --docker-socket';

/** A node may have runtimes that the kubelet knows nothing of. Whoever runs this very pod was told to by the kubelet. */
async function kubeletsOf(
  runtimes: readonly PodRuntime[],
  podUid: string,
  signal: AbortSignal,
): Promise<PodRuntime> {
  const runsIt = await Promise.all(runtimes.map((runtime) => runtime.runsPod(podUid, signal)));
  const found = runtimes.find((_, index) => runsIt[index]);
  const others = runtimes.filter((runtime) => runtime !== found);
  await Promise.all(others.map((runtime) => runtime[Symbol.asyncDispose]()));
  if (found) return found;
  throw new AgentError(
    'not_kubelets',
    `the pod ${podUid} that this agent runs in is not on ${others.map(({ title }) => title).join(' or ')}`,
    {
      hint: `Mount the socket that the kubelet uses (its --container-runtime-endpoint), and name it with ${FLAGS}.`,
    },
  );
}
