import { createMetrics } from '@gatehouse/lib/ops-server.ts';
import type { VerdictIndex } from '@gatehouse/policies';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the webhook measures of itself. */
export interface WebhookMetrics {
  readonly registry: Registry;
  readonly reviews: Counter<'path' | 'mode' | 'outcome'>;
  readonly duration: Histogram<'path'>;
}

/** From 100 µs, the least that TLS and JSON take, to the 3 s after which the API server has given up. */
const DURATION_BUCKETS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 3];

export function createWebhookMetrics(verdicts: VerdictIndex): WebhookMetrics {
  const registry = createMetrics();
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('gatehouse_verdicts', 'Images with a verdict in memory', () => verdicts.size);
  gauge('gatehouse_verdict_bytes', 'Estimated memory of the verdicts', () => verdicts.bytes);
  gauge(
    'gatehouse_verdicts_evicted',
    'Verdicts dropped for want of room since the start',
    () => verdicts.evicted,
  );
  gauge('gatehouse_verdict_age_seconds', 'Time since all verdicts were last known to be current', () =>
    Math.max(0, (Date.now() - verdicts.confirmedAt) / 1000),
  );
  return {
    registry,
    reviews: new Counter({
      name: 'gatehouse_admission_reviews_total',
      help: 'Reviews answered, by how they ended',
      labelNames: ['path', 'mode', 'outcome'],
      registers,
    }),
    duration: new Histogram({
      name: 'gatehouse_admission_duration_seconds',
      help: 'Time from the whole body of a review to its answer',
      labelNames: ['path'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    }),
  };
}
