import type { Log } from '@gatehouse/lib/log.ts';
import type { ObjectName } from './api-object.ts';
import { Bell } from './bell.ts';
import { follow } from './follow.ts';
import { keepRotating } from './keep-rotating.ts';
import type { Kubernetes } from './kubernetes.ts';
import { defaultLeaseTiming, type LeaseTiming, runAsHolder } from './lease.ts';
import { parseServingNames, type ServingNames } from './names.ts';
import type { Publisher } from './publisher.ts';
import { Publishing } from './publishing.ts';
import { defaultSchedule, parseSchedule, type Schedule } from './rotation.ts';
import { Rotator } from './rotator.ts';
import { secretStore } from './secret-store.ts';

export interface IssuerOptions {
  readonly kubernetes: Kubernetes;
  /** The Secret that keeps the certificates. The Lease by which one replica becomes the issuer has the same name. */
  readonly secret: ObjectName;
  /** DNS names and IP addresses under which the server is reached. */
  readonly names: readonly string[];
  /** Where the clients take the authorities from. */
  readonly publishers: readonly Publisher[];
  readonly log: Log;
  readonly schedule?: Schedule;
  readonly leaseTiming?: LeaseTiming;
}

/** Every change is told by a watch; this is for what a watch did not tell. */
const RESYNC_MS = 5 * 60_000;

/**
 * Issues and rotates the certificates of one server, in one of its replicas at a time, until disposed of. Throws
 * CertsError `name_invalid` or `schedule_invalid` at once; later failures are logged and tried again.
 *
 * It needs these verbs, each on the one name:
 * - secrets and leases: get, patch; secrets also watch
 * - validatingwebhookconfigurations, mutatingwebhookconfigurations, configmaps that are published to: get, watch, patch
 * - secrets, leases, configmaps: create, which a role cannot limit to a name. The role can go without where the
 *   manifests hold these objects, empty; one that is deleted then has to be applied again.
 */
export function startIssuer(options: IssuerOptions): AsyncDisposable {
  const names = parseServingNames(options.names);
  const schedule = parseSchedule(options.schedule ?? defaultSchedule);
  const contest = {
    lease: options.kubernetes.lease(options.secret),
    timing: options.leaseTiming ?? defaultLeaseTiming,
    log: options.log,
  };
  const ending = new AbortController();
  const running = runAsHolder(contest, ending.signal, (signal) =>
    issue(options, { names, schedule, signal }),
  );
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}

async function issue(
  { kubernetes, secret, publishers, log }: IssuerOptions,
  { names, schedule, signal }: { names: ServingNames; schedule: Schedule; signal: AbortSignal },
): Promise<void> {
  const object = kubernetes.secret(secret);
  const publishing = new Publishing(publishers, log);
  const bell = new Bell();
  const ring = (): void => bell.ring();
  await using following = new AsyncDisposableStack();
  following.use(follow(object, ring, log));
  for (const publisher of publishers) following.use(publisher.follow(ring, log));
  const rotator = new Rotator({
    store: secretStore(object),
    names,
    schedule,
    publish: (bundle) => publishing.publish(bundle),
    now: () => new Date(),
    log,
  });
  await keepRotating(rotator, { every: RESYNC_MS, bell, log, signal });
}
