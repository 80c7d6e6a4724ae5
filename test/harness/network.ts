import { run, runOk } from './process.ts';

/**
 * The addresses of the cluster at place `index` of the machine, all out of the range for benchmarks (RFC 2544), which
 * belongs to nobody's network and is not routed outside.
 */
export interface Network {
  /** The device at the host's end; it is `eth0` at the cluster's. */
  readonly device: string;
  readonly host: string;
  readonly node: string;
  readonly pods: string;
  readonly services: string;
  /** What the first Service, `kubernetes`, gets. */
  readonly api: string;
  readonly dns: string;
}

export function networkOf(index: number): Network {
  return {
    device: `gatehouse${index}`,
    host: `198.18.${index}.1`,
    node: `198.18.${index}.2`,
    pods: `198.18.${index}.128/25`,
    services: `198.19.${index}.0/24`,
    api: `198.19.${index}.1`,
    dns: `198.19.${index}.10`,
  };
}

/** The URL of the API server at the node. */
export const apiAddress = ({ node }: Network): string => `https://${node}:6443`;

/**
 * Lays a cable from the host to the network namespace of process `pid`. The host reaches nodes, pods and Services over
 * it, and the cluster reaches the host; neither gets a route to anywhere else.
 */
export async function connect(ip: string, network: Network, pid: number): Promise<void> {
  const { device, host, node, pods, services } = network;
  const batch = (argv: readonly string[], lines: readonly string[]): Promise<string> =>
    runOk([...argv, ip, '-batch', '-'], { input: lines.join('\n') });
  await batch(
    [],
    [
      `link add ${device} type veth peer name eth0 netns ${pid}`,
      `address add ${host}/30 dev ${device}`,
      `link set ${device} up`,
    ],
  );
  await batch(
    ['nsenter', '--net', '--target', String(pid)],
    [
      'link set lo up',
      `address add ${node}/30 dev eth0`,
      'link set eth0 up',
      // Without a route, the kernel refuses the address of a Service before the rules of kube-proxy replace it.
      `route add ${services} dev eth0`,
    ],
  );
  await batch([], [`route add ${pods} via ${node}`, `route add ${services} via ${node}`]);
}

/** The device goes with the namespace at its other end, but the kernel takes its time to. */
export async function disconnect(ip: string, { device }: Network): Promise<void> {
  await run([ip, 'link', 'delete', device]);
}
