import { logLevels } from '@gatehouse/lib/log.ts';
import { address, duration, list, type OptionValues, oneOf, text, whole } from '@gatehouse/lib/options.ts';

/** All settings of the core. */
export const coreOptions = {
  database: text(
    'URL',
    'the PostgreSQL store, such as postgres://gatehouse@db/gatehouse; the password may be in PGPASSWORD',
  ),
  databaseSecret: text(
    'NAME',
    "make up the store's password and certificate, and keep them in this Secret for its pod",
    '',
  ),
  feeds: text(
    'FOLDER|URL',
    'where advisories come from: ECOSYSTEM/all.zip and kev.json below it; nothing means none, and no verdicts',
    '',
  ),
  feedsEvery: duration('how often to look whether the feeds have changed', '1h'),
  grpcListen: address('where agents and webhooks call', '0.0.0.0:9443'),
  httpListen: address('where people and tools call', '0.0.0.0:8080'),
  opsListen: address('where /metrics, /healthz and /readyz are served', '0.0.0.0:9090'),
  tlsSecret: text('NAME', 'issue and renew the certificate in the cluster, and keep it in this Secret', ''),
  tlsConfigMaps: list('NS/NAME', 'with --tls-secret: ConfigMaps that tell clients whom to trust'),
  tlsNames: list('NAMES', 'with --tls-secret: the names that the core is called by', 'gatehouse-core'),
  tlsSettling: duration('with --tls-secret: how long a new authority is published before it is used', '10m'),
  tlsCert: text('FILE', 'the certificate, where it comes from elsewhere; read again when it changes', ''),
  tlsKey: text('FILE', 'the key of the certificate', ''),
  namespace: text('NAME', "the core's own namespace", 'gatehouse-system'),
  cluster: text('NAME', 'what the cluster is called whose service accounts may call', 'default'),
  agentAccounts: list('NS:NAME', 'service accounts of agents', 'gatehouse-agents:gatehouse-agent'),
  webhookAccounts: list('NS:NAME', 'service accounts of webhooks', 'gatehouse-system:gatehouse-webhook'),
  adminAccounts: list(
    'NS:NAME',
    'service accounts that may use the HTTP API',
    'gatehouse-system:gatehouse-admin',
  ),
  uploaderAccounts: list(
    'NS:NAME',
    'service accounts that may upload SBOMs made elsewhere',
    'gatehouse-system:gatehouse-sbom-uploader',
  ),
  workers: whole('N', 'how many jobs of a kind this process runs at a time', { least: 0, most: 32 }, 2),
  logLevel: oneOf(logLevels, 'how much to log', 'info'),
};

export type CoreConfig = OptionValues<typeof coreOptions>;
