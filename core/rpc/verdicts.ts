import type { Verdicts } from '@gatehouse/proto/gen/gatehouse/v1/verdicts_pb.ts';
import type { ServiceHandlers } from '@gatehouse/proto/grpc.ts';
import type { App, Caller } from '../app/app.ts';
import { watchVerdicts } from '../app/watch-verdicts.ts';
import { mustBe } from './access.ts';

/** The calls of webhooks. */
export function verdictsService(app: App): ServiceHandlers<typeof Verdicts, Caller> {
  return {
    async *watchVerdicts({ store, revision }, { caller, signal }) {
      mustBe(caller, 'webhook');
      for await (const batch of watchVerdicts(app, { store, revision: Number(revision) }, signal)) {
        yield {
          store: batch.store,
          revision: BigInt(batch.revision),
          caughtUp: batch.caughtUp,
          changes: batch.changes.map(({ image, aliases, verdict }) => ({
            image,
            aliases: [...aliases],
            verdict: verdict === null ? '' : JSON.stringify(verdict),
          })),
        };
      }
    },
  };
}
