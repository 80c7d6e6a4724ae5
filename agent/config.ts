import { logLevels } from '@gatehouse/lib/log.ts';
import { address, duration, list, oneOf, onOff, text, whole } from '@gatehouse/lib/options.ts';
import { registryOptions } from '@gatehouse/registry';

/** Where container runtimes are, and what they keep. */
export const runtimeOptions = {
  containerdSocket: text(
    'PATH',
    "containerd's socket; nothing means not to look for it",
    '/run/containerd/containerd.sock',
  ),
  containerdRoot: text('FOLDER', 'where containerd keeps images', '/var/lib/containerd'),
  containerdState: text('FOLDER', 'where containerd keeps what runs', '/run/containerd'),
  crioSocket: text('PATH', "CRI-O's socket; nothing means not to look for it", '/run/crio/crio.sock'),
  crioStorage: list(
    'FOLDER,...',
    'where CRI-O keeps images; after it the additionalimagestores of its storage.conf',
    '/var/lib/containers/storage',
  ),
  hostRoot: text(
    'FOLDER',
    'where this process sees the root of the node, to which those folders belong',
    '/',
  ),
  dockerSocket: text('PATH', "Docker's socket; nothing means not to look for it", '/var/run/docker.sock'),
};

/** All settings of the agent. */
export const agentOptions = {
  core: text('HOST:PORT', 'the core to report to'),
  coreCa: text('FILE', "the authorities of the core's certificate", '/var/run/gatehouse/core-ca/ca.crt'),
  coreToken: text(
    'FILE',
    'the token for the core, which also says which node this is',
    '/var/run/gatehouse/token/token',
  ),
  ...runtimeOptions,
  outbox: text('FOLDER', 'where fragments wait while the core is away; nothing means that none do', ''),
  outboxBytes: whole('BYTES', 'how much may wait', { least: 1_000_000, most: 2 ** 36 }, 256_000_000),
  cpuPercent: whole(
    'PERCENT',
    'how much of one processor reading images may take; 200 are two',
    { least: 1, most: 100_000 },
    100,
  ),
  readRate: whole(
    'MIB',
    'how many MiB of images may be read in a second',
    { least: 1, most: 1_000_000 },
    200,
  ),
  podUid: text(
    'UID',
    'the pod that this process runs in: of several runtimes, only the one that runs it is read',
    '',
  ),
  registry: onOff('ask the registries of images for layers that the node has not kept'),
  registryCredentials: text(
    'FILE',
    "a Docker config.json with credentials for --registry, such as the kubelet's; nothing means none",
    '',
  ),
  pullSecrets: onOff('use the pull secrets of pods for --registry; the API server is asked for them'),
  ...registryOptions,
  relist: duration('the longest time between two looks at the node', '60s'),
  runtimeFacts: onOff('look at which files of their images containers run, and at what they run besides'),
  opsListen: address('where /metrics, /healthz and /readyz are served', '0.0.0.0:9090'),
  logLevel: oneOf(logLevels, 'how much to log', 'info'),
};
