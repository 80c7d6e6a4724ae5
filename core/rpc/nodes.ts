import type { Nodes } from '@gatehouse/proto/gen/gatehouse/v1/nodes_pb.ts';
import type { ServiceHandlers } from '@gatehouse/proto/grpc.ts';
import type { App, Caller } from '../app/app.ts';
import { reportNode } from '../app/nodes.ts';
import { reportRuntimeFacts } from '../app/runtime-facts.ts';
import { mustBe } from './access.ts';

/** The calls of agents on their nodes. */
export function nodesService(app: App): ServiceHandlers<typeof Nodes, Caller> {
  return {
    async reportNode(report, { caller }) {
      return { unknownImages: [...(await reportNode(app, mustBe(caller, 'agent'), report))] };
    },
    async reportRuntimeFacts(report, { caller }) {
      return { known: await reportRuntimeFacts(app, mustBe(caller, 'agent'), report) };
    },
  };
}
