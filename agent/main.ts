import { join } from 'node:path';
import { CoreClient, renewedFile } from '@gatehouse/core-client';
import { createLog, type Log } from '@gatehouse/lib/log.ts';
import { startOpsServer } from '@gatehouse/lib/ops-server.ts';
import {
  asksForHelp,
  describeOptions,
  OptionError,
  type OptionValues,
  readOptionsOnly,
} from '@gatehouse/lib/options.ts';
import { ownCluster } from '@gatehouse/lib/own-cluster.ts';
import { runCommand, runUntilSignal } from '@gatehouse/lib/run.ts';
import { readSettings } from '@gatehouse/registry';
import { type AgentParts, runAgent } from './agent.ts';
import { CatalogerProcess } from './cataloger/cataloger-process.ts';
import type { Share } from './cataloger/pace.ts';
import { agentOptions } from './config.ts';
import { createAgentMetrics } from './metrics.ts';
import { Outbox } from './outbox.ts';
import { Registries } from './registry-layers.ts';
import { FACTS_PLAN } from './runtime-facts/runtime-facts.ts';
import { connectRuntimes } from './runtimes/connect.ts';
import { joinRuntimes } from './runtimes/joined.ts';
import type { Runtime } from './runtimes/runtime.ts';

export { inThisProcess } from './cataloger/cataloger.ts';
export { runtimeOptions } from './config.ts';
export { createAgentMetrics } from './metrics.ts';
export { readLayer } from './read-layer.ts';
export { Registries, type RegistryAccess } from './registry-layers.ts';
export { FACTS_PLAN } from './runtime-facts/runtime-facts.ts';
export { connectRuntimes } from './runtimes/connect.ts';
export { ContainersStorage } from './runtimes/containers-storage.ts';
export { joinRuntimes } from './runtimes/joined.ts';
export type { ImageLayers, LayerPlaces, Runtime, RuntimeImage } from './runtimes/runtime.ts';
export { storageDrivers } from './runtimes/storage-folder.ts';
export { bringSourceImage } from './source-image.ts';

const help = {
  usage: 'gatehouse agent [options]',
  summary: 'Reads the images of this node and brings to the core what it lacks of them.',
  example: 'gatehouse agent --core gatehouse-core:9443',
};

/** Runs the agent by its command line until it is told to end. */
export async function main(argv: readonly string[]): Promise<void> {
  if (asksForHelp(argv)) {
    process.stdout.write(describeOptions(help, agentOptions));
    return;
  }
  const config = readOptionsOnly(agentOptions, argv);
  const log = createLog('agent', config.logLevel);
  await runUntilSignal(async () => {
    await using stack = new AsyncDisposableStack();
    const metrics = createAgentMetrics();
    stack.use(
      await startOpsServer({ listen: config.opsListen, metrics: metrics.registry, notReady: () => [] }),
    );
    const endpoint = {
      address: config.core,
      authority: renewedFile(config.coreCa),
      token: renewedFile(config.coreToken),
    };
    const core = stack.use(new CoreClient(endpoint, log));
    const registries = await findRegistries(config);
    const share = {
      processors: config.cpuPercent / 100,
      bytesPerSecond: config.readRate * 1024 * 1024,
    };
    const runtime = stack.use(joinRuntimes(await connectRuntimes(config, log), log));
    const outbox = await openOutbox(config, runtime, log);
    const facts = config.runtimeFacts ? FACTS_PLAN : undefined;
    const { relist } = config;
    const parts = { runtime, core, outbox, registries, metrics, log, relist, share, facts };
    stack.use(startAgent(parts));
    return stack.move();
  });
}

/** Where layers are asked for that the node has not kept, if they are to be. Throws OptionError or RegistryError. */
async function findRegistries(config: OptionValues<typeof agentOptions>): Promise<Registries | undefined> {
  const { registry, registryCredentials: credentials, pullSecrets } = config;
  if (!registry && (pullSecrets || credentials !== '')) {
    throw new OptionError(
      'option_invalid',
      'there are credentials for registries, but no registry is asked',
      {
        hint: 'Give --registry as well.',
      },
    );
  }
  if (!registry) return undefined;
  const settings = await readSettings(config);
  return new Registries({ settings, credentials, pullSecrets: pullSecrets ? ownCluster : undefined });
}

/** Each runtime has an outbox of its own, for what waits there is thrown away once its images were all asked about. */
async function openOutbox(
  config: OptionValues<typeof agentOptions>,
  { title }: Runtime,
  log: Log,
): Promise<Outbox | undefined> {
  if (config.outbox === '') return undefined;
  const [name = ''] = title.split(' ');
  return Outbox.open(join(config.outbox, name), config.outboxBytes, log).catch((err: unknown) => {
    log.error({ err }, 'nothing will wait on disk while the core is away');
    return undefined;
  });
}

/** Runs an agent on a runtime until it is disposed of. `firstLook` resolves when all that was there is brought. */
export function startAgent(
  parts: Omit<AgentParts, 'cataloger' | 'onFirstLook'> & { readonly share?: Share },
): AsyncDisposable & { readonly firstLook: Promise<void> } {
  const cataloger = new CatalogerProcess(parts.log, parts.share && { share: parts.share });
  const ending = new AbortController();
  parts.log.info({ runtime: parts.runtime.title }, 'agent started');
  const { promise: firstLook, resolve: onFirstLook } = Promise.withResolvers<void>();
  const running = runAgent({ ...parts, cataloger, onFirstLook }, ending.signal);
  return {
    firstLook,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
      await cataloger[Symbol.asyncDispose]();
    },
  };
}

if (import.meta.main) await runCommand(main);
