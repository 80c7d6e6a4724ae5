import {
  asksForHelp,
  describeOptions,
  OptionError,
  oneOf,
  readOptions,
  text,
} from '@gatehouse/lib/options.ts';
import { runCommand } from '@gatehouse/lib/run.ts';
import { startCluster } from './cluster.ts';
import { accessCluster } from './cluster-access.ts';
import { type ClusterRecord, findCluster, runningClusters } from './cluster-record.ts';
import { deploy } from './deploy.ts';
import { HarnessError } from './errors.ts';
import { takeDown } from './take-down.ts';

const options = {
  name: text('NAME', 'which cluster', 'dev'),
  containerd: oneOf(['2.4', '1.6'], 'the container runtime of a new cluster', '2.4'),
};

type Values = ReturnType<typeof readOptions<typeof options>>['values'];
type Command = (values: Values, argument: string | undefined) => Promise<void>;

const help = describeOptions(
  {
    usage: 'npm run cluster -- COMMAND [OPTIONS]',
    summary: [
      'A Kubernetes cluster of one node on this machine, in namespaces of its own. Needs root on Linux.',
      '',
      'Commands:',
      '  up                start a cluster; it stays until it is taken down',
      '  load IMAGE        load an OCI layout or an archive of images into it',
      '  deploy [OVERLAY]  load our images, and apply an overlay of manifests/overlays (default: default)',
      '  kubeconfig        print the path of its kubeconfig',
      '  status            list the clusters of this machine',
      '  down              end it and remove all that it left',
    ].join('\n'),
    example: 'npm run cluster -- up && npm run cluster -- deploy && npm run cluster -- down',
  },
  options,
);

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const commands: Readonly<Record<string, Command>> = {
  async up({ name, containerd }) {
    const interrupted = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM']) {
      process.once(signal, () => interrupted.abort(new Error('interrupted; nothing of the cluster is left')));
    }
    const cluster = await startCluster({ name, containerd, outlive: true, signal: interrupted.signal });
    say(`Cluster ${name} runs: ${cluster.node} takes pods, the API is at ${cluster.address}.`);
    say('Go on with');
    say(`  export KUBECONFIG=${cluster.kubeconfig}`);
    say(`  alias kubectl='${cluster.kube} kubectl'   # if you have none`);
    say(`  npm run cluster -- deploy --name ${name}`);
    say(`  npm run cluster -- down --name ${name}`);
  },
  async load({ name }, image) {
    if (image === undefined) {
      throw new OptionError('option_missing', 'load needs an image', {
        hint: 'Name a folder of the OCI layout, or an archive.',
      });
    }
    await accessCluster(await find(name)).load(image);
    say(`Loaded ${image} into ${name}.`);
  },
  async deploy({ name }, overlay = 'default') {
    const { missing, outdated } = await deploy(accessCluster(await find(name)), overlay);
    say(`Applied ${overlay} to ${name}.`);
    if (outdated) {
      say(
        'Our images were built from other sources than those of this checkout. `npm run images` builds them anew;',
      );
      say(
        'deploy again then, and delete the pods that run, for they keep the old images under the same names.',
      );
    }
    if (missing.length === 0) return;
    say('Its pods cannot start without these images, which the node lacks:');
    for (const image of missing) say(`  ${image}`);
    say('`npm run images` builds ours; `npm run cluster -- load` loads others.');
  },
  async kubeconfig({ name }) {
    say(accessCluster(await find(name)).kubeconfig);
  },
  async status() {
    const clusters = await runningClusters();
    if (clusters.length === 0) say('No cluster runs on this machine.');
    for (const record of clusters) say(await describe(record));
  },
  async down({ name }) {
    await takeDown(await find(name));
    say(`Cluster ${name} is gone.`);
  },
};

async function find(name: string): Promise<ClusterRecord> {
  const record = await findCluster(name);
  if (record) return record;
  const others = (await runningClusters()).map((each) => each.name);
  throw new HarnessError('cluster_unknown', `no cluster named ${name} runs on this machine`, {
    hint:
      others.length > 0
        ? `Name one of ${others.join(', ')} with --name.`
        : 'Start one with `npm run cluster -- up`.',
  });
}

async function describe(record: ClusterRecord): Promise<string> {
  const { name, address, kubectl } = accessCluster(record);
  const { stdout, stderr, code } = await kubectl(['get', 'nodes', '--no-headers', '--request-timeout', '5s']);
  return `${name}  ${address}  ${(code === 0 ? stdout : stderr).trim()}`;
}

async function main(argv: readonly string[]): Promise<void> {
  const [word = 'help', ...rest] = argv;
  if (word === 'help' || asksForHelp(argv)) return say(help);
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
  if (command === undefined) {
    throw new OptionError('option_unknown', `there is no command ${word}`, {
      hint: 'See --help for all commands.',
    });
  }
  const { values, positionals } = readOptions(options, rest);
  await command(values, positionals[0]);
}

await runCommand(main);
// The servers of a cluster that is up are children of this process, and would keep it.
process.exit(0);
