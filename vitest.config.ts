import { defineConfig } from 'vitest/config';

/** The longest state a test waits for is a container image pulled, started and judged; see test/harness. */
const CLUSTER_TIMEOUT_MS = 180_000;
/** On a machine that has nothing, the first test to need a tool waits until it is built. */
const SET_UP_TIMEOUT_MS = 30 * 60_000;

export default defineConfig({
  test: {
    // Most tests wait for others most of the time; left to itself, vitest leaves a processor for itself.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{lib,proto,sbom,registry,advisories,policies,certs,core-client,agent,webhook,core,cli,tools}/**/*.test.ts',
          ],
          // None takes more than seconds; a busy machine is no reason to fail.
          testTimeout: 60_000,
          isolate: false,
          pool: 'threads',
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: SET_UP_TIMEOUT_MS,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: CLUSTER_TIMEOUT_MS,
          hookTimeout: SET_UP_TIMEOUT_MS,
          fileParallelism: false,
        },
      },
    ],
  },
});
