import {
  connectKubernetes,
  defaultSchedule,
  fileCertificate,
  type ServingCertificate,
  secretCertificate,
  startIssuer,
  webhookPublisher,
} from '@gatehouse/certs';
import { CoreClient, renewedFile } from '@gatehouse/core-client';
import { createLog, type Log } from '@gatehouse/lib/log.ts';
import { asksForHelp, describeOptions, OptionError, readOptionsOnly } from '@gatehouse/lib/options.ts';
import { runCommand, runUntilSignal } from '@gatehouse/lib/run.ts';
import { defaultBundle } from '@gatehouse/policies';
import { type WebhookConfig, webhookOptions } from './config.ts';
import { noNamespaces, WatchedNamespaces } from './namespaces.ts';
import { startWebhook, type WebhookParts } from './webhook.ts';

export { noNamespaces } from './namespaces.ts';
export { startWebhook } from './webhook.ts';

const help = {
  usage: 'gatehouse webhook [options]',
  summary: 'Answers admission reviews from verdicts in memory.',
  example:
    'gatehouse webhook --verdicts verdicts.jsonl --listen 127.0.0.1:8443 --tls-cert tls.crt --tls-key tls.key',
};

/** The objects of the cluster that the webhook looks after; manifests/ names them so. */
const OBJECTS = {
  secret: 'gatehouse-webhook-tls',
  service: 'gatehouse-webhook',
  configurations: 'gatehouse',
};

/** Runs the webhook by its command line until it is told to end. */
export async function main(argv: readonly string[]): Promise<void> {
  if (asksForHelp(argv)) {
    process.stdout.write(describeOptions(help, webhookOptions));
    return;
  }
  const config = readOptionsOnly(webhookOptions, argv);
  const log = createLog('webhook', config.logLevel);
  await runUntilSignal(async (signal) => {
    await using stack = new AsyncDisposableStack();
    const namespaces = config.inCluster ? stack.use(await WatchedNamespaces.start(log)) : noNamespaces;
    const certificate = await serveCertificate(config, log, signal, stack);
    const { mode, unknown } = config;
    stack.use(
      await startWebhook({
        ...config,
        bundle: config.bundle || defaultBundle,
        source: sourceOf(config, log, stack),
        certificate,
        namespaces,
        defaults: { mode, unknown },
        log,
      }),
    );
    return stack.move();
  });
}

function sourceOf(config: WebhookConfig, log: Log, stack: AsyncDisposableStack): WebhookParts['source'] {
  if (config.verdicts !== '') return { file: config.verdicts };
  if (config.core === '') {
    throw new OptionError('option_missing', 'there is nowhere to get verdicts from', {
      hint: 'Give --core HOST:PORT, or --verdicts FILE.',
    });
  }
  const endpoint = {
    address: config.core,
    authority: renewedFile(config.coreCa),
    token: renewedFile(config.coreToken),
  };
  return { core: stack.use(new CoreClient(endpoint, log)), cacheFolder: config.cacheFolder };
}

async function serveCertificate(
  config: WebhookConfig,
  log: Log,
  signal: AbortSignal,
  stack: AsyncDisposableStack,
): Promise<ServingCertificate> {
  if (!config.inCluster) {
    if (config.tlsCert === '' || config.tlsKey === '') {
      throw new OptionError('option_missing', 'the webhook has no certificate', {
        hint: 'Give --tls-cert FILE and --tls-key FILE, or --in-cluster.',
      });
    }
    return stack.use(await fileCertificate(config.tlsCert, config.tlsKey, log));
  }
  const kubernetes = await connectKubernetes();
  const secret = { namespace: config.namespace, name: OBJECTS.secret };
  stack.use(
    startIssuer({
      kubernetes,
      secret,
      // The API server calls a webhook by this name, whatever the cluster's domain is.
      names: [`${OBJECTS.service}.${config.namespace}.svc`],
      publishers: [
        webhookPublisher(kubernetes, 'validating', OBJECTS.configurations),
        webhookPublisher(kubernetes, 'mutating', OBJECTS.configurations),
      ],
      schedule: { ...defaultSchedule, settling: config.tlsSettling },
      log,
    }),
  );
  return stack.use(await secretCertificate({ kubernetes, secret, log, signal }));
}

if (import.meta.main) await runCommand(main);
