import { createMetrics } from '@gatehouse/lib/ops-server.ts';
import { Counter, Gauge, type Registry } from 'prom-client';

/** What the agent measures of itself. */
export interface AgentMetrics {
  readonly registry: Registry;
  /** Images of the node that the core has not got yet. */
  readonly waiting: Gauge;
  readonly layers: Counter<'result'>;
  readonly uploadedBytes: Counter;
  /** What waits on disk for a core that is away. */
  readonly outboxBytes: Gauge;
  /** Looks at what containers run. */
  readonly looks: Counter<'result'>;
  readonly drift: Counter<'kind'>;
}

export function createAgentMetrics(): AgentMetrics {
  const registry = createMetrics();
  const registers = [registry];
  return {
    registry,
    waiting: new Gauge({
      name: 'gatehouse_images_waiting',
      help: 'Images of the node still to be brought to the core',
      registers,
    }),
    layers: new Counter({
      name: 'gatehouse_layers_total',
      help: 'Layers that the core lacked, by what came of them',
      labelNames: ['result'],
      registers,
    }),
    looks: new Counter({
      name: 'gatehouse_container_looks_total',
      help: 'Looks at what containers run, by whether their processes could be seen',
      labelNames: ['result'],
      registers,
    }),
    drift: new Counter({
      name: 'gatehouse_drift_total',
      help: 'Programs that containers were seen to run and that are not of their images, by how they got there',
      labelNames: ['kind'],
      registers,
    }),
    uploadedBytes: new Counter({
      name: 'gatehouse_uploaded_bytes_total',
      help: 'Bytes of fragments sent to the core',
      registers,
    }),
    outboxBytes: new Gauge({
      name: 'gatehouse_outbox_bytes',
      help: 'Bytes of fragments that wait on disk while the core is away',
      registers,
    }),
  };
}
