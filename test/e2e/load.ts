import { setTimeout as delay } from 'node:timers/promises';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import type { Cluster } from '../harness/cluster.ts';

/** How the creation of a pod ended. */
export interface Outcome {
  readonly at: number;
  /** The HTTP status of the API server. */
  readonly status: number;
  readonly message: string;
}

/** A steady load of pod creations through the API server, until it is stopped. */
export interface Load {
  readonly outcomes: readonly Outcome[];
  stop(): Promise<readonly Outcome[]>;
}

/** Each pod waits at a gate, so that none of them costs the node anything. */
const GATE = 'gatehouse.test/never';
/** A load stops by itself, whatever becomes of the test. */
const MOST_MS = 300_000;

/** Creates pods with the image in turn, `perSecond` of them. */
export function startLoad(
  cluster: Cluster,
  options: { namespace: string; image: string; perSecond: number },
): Load {
  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const outcomes: Outcome[] = [];
  const ending = new AbortController();
  const deadline = Date.now() + MOST_MS;

  async function create(number: number): Promise<void> {
    const at = Date.now();
    try {
      await api.createNamespacedPod({
        namespace: options.namespace,
        body: {
          metadata: { name: `load-${process.pid}-${at}-${number}` },
          spec: {
            schedulingGates: [{ name: GATE }],
            terminationGracePeriodSeconds: 0,
            containers: [{ name: 'app', image: options.image }],
          },
        },
      });
      outcomes.push({ at, status: 201, message: '' });
    } catch (error) {
      const { code, body, message } = error as { code?: number; body?: string; message: string };
      outcomes.push({ at, status: code ?? 0, message: body ?? message });
    }
  }

  async function run(): Promise<void> {
    const underway = new Set<Promise<void>>();
    for (let number = 0; !ending.signal.aborted && Date.now() < deadline; number++) {
      const creation = create(number).finally(() => underway.delete(creation));
      underway.add(creation);
      await delay(1000 / options.perSecond, undefined, { signal: ending.signal }).catch(() => undefined);
    }
    await Promise.all(underway);
  }

  const running = run();
  return {
    outcomes,
    async stop() {
      ending.abort();
      await running;
      return outcomes;
    },
  };
}
