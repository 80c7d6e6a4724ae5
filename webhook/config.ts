import { logLevels } from '@gatehouse/lib/log.ts';
import { address, duration, type OptionValues, oneOf, onOff, text, whole } from '@gatehouse/lib/options.ts';
import { modes, unknownChoices } from '@gatehouse/policies';

/** All settings of the webhook. */
export const webhookOptions = {
  listen: address('where the API server calls', '0.0.0.0:8443'),
  opsListen: address('where /metrics, /healthz and /readyz are served', '0.0.0.0:9090'),
  bundle: text('FILE', 'the policy bundle; the default policy if none is given', ''),
  verdicts: text('FILE', 'verdicts from a file, instead of from a core', ''),
  core: text('HOST:PORT', 'the core whose verdicts to follow', ''),
  coreCa: text('FILE', "the authorities of the core's certificate", '/var/run/gatehouse/core-ca/ca.crt'),
  coreToken: text('FILE', 'the token for the core', '/var/run/gatehouse/token/token'),
  cacheFolder: text('FOLDER', 'where verdicts are kept for the next start; nothing means in memory only', ''),
  cacheBytes: whole(
    'BYTES',
    'how much memory verdicts may take',
    { least: 1_000_000, most: 2 ** 36 },
    256_000_000,
  ),
  mode: oneOf(modes, 'what a namespace without a label gets', 'audit'),
  unknown: oneOf(unknownChoices, 'what images without a verdict get in a namespace without a label', 'allow'),
  cluster: text('NAME', 'what the cluster is called', 'default'),
  tlsCert: text('FILE', 'the certificate, where it comes from elsewhere; read again when it changes', ''),
  tlsKey: text('FILE', 'the key of the certificate', ''),
  inCluster: onOff('issue and renew the certificate in the cluster, and read the labels of namespaces'),
  tlsSettling: duration('with --in-cluster: how long a new authority is published before it is used', '10m'),
  namespace: text('NAME', "with --in-cluster: the webhook's own namespace", 'gatehouse-system'),
  drain: duration('how long to serve on after being told to end, until no new reviews come', '15s'),
  logLevel: oneOf(logLevels, 'how much to log', 'info'),
};

export type WebhookConfig = OptionValues<typeof webhookOptions>;
