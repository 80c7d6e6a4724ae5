import {
  configMapPublisher,
  connectKubernetes,
  defaultSchedule,
  fileCertificate,
  type Kubernetes,
  type ServingCertificate,
  secretCertificate,
  startIssuer,
} from '@gatehouse/certs';
import { createLog, type Log } from '@gatehouse/lib/log.ts';
import { asksForHelp, describeOptions, OptionError, readOptionsOnly } from '@gatehouse/lib/options.ts';
import { runCommand, runUntilSignal } from '@gatehouse/lib/run.ts';
import type { Role } from './app/app.ts';
import { discoverOwnCluster } from './auth/own-cluster.ts';
import { serviceAccounts } from './auth/service-accounts.ts';
import { type CoreConfig, coreOptions } from './config.ts';
import { startCore } from './core.ts';
import type { DatabaseLogin } from './datastore/database.ts';
import { ownPostgres } from './own-postgres.ts';

export type { Caller } from './app/app.ts';
export { feeds } from './app/feeds.ts';
export { type ImageSummary, images } from './app/image-queries.ts';
export { fixedTokens } from './auth/fixed-tokens.ts';
export { type Core, startCore } from './core.ts';
export type { JobName } from './jobs/queue.ts';

const help = {
  usage: 'gatehouse core [options]',
  summary: 'Keeps layers, advisories and verdicts, for agents, webhooks and people.',
  example:
    'gatehouse core --database postgres://gatehouse@db/gatehouse --tls-cert tls.crt --tls-key tls.key --feeds ./feeds',
};

/** Runs the core by its command line until it is told to end. */
export async function main(argv: readonly string[]): Promise<void> {
  if (asksForHelp(argv)) {
    process.stdout.write(describeOptions(help, coreOptions));
    return;
  }
  const config = readOptionsOnly(coreOptions, argv);
  const log = createLog('core', config.logLevel);
  await runUntilSignal(async (signal) => {
    await using stack = new AsyncDisposableStack();
    const surroundings = { config, log, signal, stack };
    const certificate = await serveCertificate(surroundings);
    const accounts = { cluster: config.cluster, discover: discoverOwnCluster, roles: rolesOf(config) };
    stack.use(
      await startCore(
        {
          ...config,
          database: await databaseLogin(surroundings),
          certificate,
          httpIsLocal: false,
          authorities: [serviceAccounts(accounts, log)],
          log,
        },
        signal,
      ),
    );
    return stack.move();
  });
}

interface Surroundings {
  readonly config: CoreConfig;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly stack: AsyncDisposableStack;
}

function rolesOf(config: CoreConfig): ReadonlyMap<string, Role> {
  const accounts: [Role, readonly string[]][] = [
    ['agent', config.agentAccounts],
    ['webhook', config.webhookAccounts],
    ['admin', config.adminAccounts],
    ['uploader', config.uploaderAccounts],
  ];
  return new Map(accounts.flatMap(([role, names]) => names.map((name) => [name, role])));
}

async function databaseLogin({ config, log, signal, stack }: Surroundings): Promise<DatabaseLogin> {
  if (config.databaseSecret === '') return { connectionString: config.database };
  const secret = { namespace: config.namespace, name: config.databaseSecret };
  const kubernetes = await connectKubernetes();
  return ownPostgres({ kubernetes, secret, database: config.database, log, signal }, stack);
}

async function serveCertificate({ config, log, signal, stack }: Surroundings): Promise<ServingCertificate> {
  if (config.tlsSecret === '') {
    if (config.tlsCert === '' || config.tlsKey === '') {
      throw new OptionError('option_missing', 'the core has no certificate', {
        hint: 'Give --tls-secret NAME in a cluster, else --tls-cert FILE and --tls-key FILE.',
      });
    }
    return stack.use(await fileCertificate(config.tlsCert, config.tlsKey, log));
  }
  const kubernetes = await connectKubernetes();
  const { namespace } = config;
  const secret = { namespace, name: config.tlsSecret };
  stack.use(
    startIssuer({
      kubernetes,
      secret,
      names: config.tlsNames.flatMap((name) => [name, `${name}.${namespace}`, `${name}.${namespace}.svc`]),
      publishers: config.tlsConfigMaps.map((name) => caPublisher(kubernetes, name)),
      schedule: { ...defaultSchedule, settling: config.tlsSettling },
      log,
    }),
  );
  return stack.use(await secretCertificate({ kubernetes, secret, log, signal }));
}

function caPublisher(kubernetes: Kubernetes, text: string): ReturnType<typeof configMapPublisher> {
  const [namespace, name, ...more] = text.split('/');
  if (!namespace || !name || more.length > 0) {
    throw new OptionError('option_invalid', `--tls-config-maps has '${text}': expected NAMESPACE/NAME`);
  }
  return configMapPublisher(kubernetes, { namespace, name, key: 'ca.crt' });
}

if (import.meta.main) await runCommand(main);
