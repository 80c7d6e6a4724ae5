import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectRuntimes, createAgentMetrics, startAgent } from '@gatehouse/agent/main.ts';
import { noLog } from '@gatehouse/lib/log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FeedsFolder, makeFeedsFolder } from '../fixtures/feeds.ts';
import { debianRoot } from '../harness/base-images.ts';
import { type Cluster, startCluster } from '../harness/cluster.ts';
import { buildImage, type Image } from '../harness/images.ts';
import { eventually } from '../harness/wait.ts';
import { type RunningCore, startRunningCore, Watcher } from './running-core.ts';
import { noSockets } from './sockets.ts';

/** So often that nobody waits; only what happens by it is shown here, not when. */
const plan = { tick: 50, after: [100], every: 500, confirm: 50 };

/** It waits for words of apt on its input, with the libraries of apt in memory. */
const LINKED = 'sleep infinity | /usr/lib/apt/methods/store';

/** Programs that are not of the image, in every way that one can get into a container; and some that are. */
const DRIFTING = `
  mkdir /root/a
  cp /bin/sleep /root/a/added; /root/a/added infinity &
  cat /bin/sleep > /usr/bin/yes; /usr/bin/yes infinity &
  cp /bin/sleep /data/volume; /data/volume infinity &
  cp /bin/sleep /root/a/removed; /root/a/removed infinity &
  until [ "$(tr '\\0' ' ' < /proc/$!/cmdline)" = '/root/a/removed infinity ' ]; do :; done; rm /root/a/removed
  perl -e 'use POSIX; my $name = "hidden"; my $fd = syscall((POSIX::uname)[4] eq "x86_64" ? 319 : 279, $name, 0); open(my $to, ">&=", $fd);
    open(my $from, "<", "/bin/sleep"); local $/; print {$to} <$from>; $to->flush; exec "/proc/self/fd/$fd", "infinity"' &
  chown 1 /usr/bin/tail; /usr/bin/tail -f /dev/null &
  sleep infinity`;

describe.each<{ containerd: '2.4' | '1.6' }>([{ containerd: '2.4' }, { containerd: '1.6' }])(
  'an agent that looks at what containers of containerd $containerd run',
  ({ containerd }) => {
    let folder: string;
    let cluster: Cluster;
    let feeds: FeedsFolder;
    let running: RunningCore;
    let agent: AsyncDisposable;
    let base: Image;
    const metrics = createAgentMetrics();

    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'gatehouse-agent-'));
      cluster = await startCluster({ containerd });
      feeds = await makeFeedsFolder();
      running = await startRunningCore({ feeds: feeds.path });
      base = await buildImage(path.join(folder, 'base'), {
        name: 'registry.test/debian:12',
        layers: [{ tar: await debianRoot(['libssl3']) }],
      });
      agent = await startOne();
    });

    afterAll(async () => {
      await agent?.[Symbol.asyncDispose]();
      await running?.[Symbol.asyncDispose]();
      await feeds?.[Symbol.asyncDispose]();
      await cluster?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    });

    async function startOne(): Promise<AsyncDisposable> {
      await using stack = new AsyncDisposableStack();
      const sockets = { ...noSockets, containerdSocket: cluster.containerdSocket, hostRoot: cluster.root };
      const [runtime] = await connectRuntimes(sockets, noLog);
      if (!runtime) throw new Error('no runtime');
      stack.use(runtime);
      const parts = { runtime, core: running.agents.n1, metrics, log: noLog, relist: 1_000, facts: plan };
      stack.use(startAgent(parts));
      return stack.move();
    }

    /** Runs a pod of an image of its own, so that what it runs is told of no other. */
    async function run(name: string, script: string): Promise<Image> {
      const files = path.join(folder, `${name}-files`);
      await mkdir(path.join(files, 'srv'), { recursive: true });
      await writeFile(path.join(files, 'srv', 'name'), name);
      const image = await buildImage(path.join(folder, name), {
        name: `registry.test/${name}:1`,
        base,
        layers: [{ folder: files }],
      });
      await cluster.load(image);
      const main = {
        name: 'main',
        image: image.name,
        imagePullPolicy: 'Never',
        command: ['sh', '-c', script],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      };
      await cluster.apply([
        {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [main],
            volumes: [{ name: 'data', emptyDir: { medium: 'Memory' } }],
          },
        },
      ]);
      const wait = ['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s'];
      expect(await cluster.kubectl(wait)).toMatchObject({ code: 0 });
      return image;
    }

    async function loadedPackages(image: Image): Promise<string[]> {
      const rows = await running.core.app.database.query<{ purl: string }>(
        `select purl from gatehouse.image_packages join gatehouse.packages on id = package_id
         where image = $1 and loaded order by purl`,
        [image.id],
      );
      return rows.map(({ purl }) => decodeURIComponent(/debian\/([^@]+)/.exec(purl)?.[1] ?? purl));
    }

    async function driftOf(pod: string): Promise<string[]> {
      const response = await fetch(`${running.api}/drift`);
      const { drift } = (await response.json()) as { drift: { pod: string; kind: string; path: string }[] };
      return drift
        .filter((each) => each.pod === pod)
        .map(({ kind, path }) => `${kind} ${path}`)
        .sort();
    }

    it('marks exactly the packages whose programs and libraries run, in the verdict, too', async () => {
      await using watcher = new Watcher().follow(running.webhook);
      const image = await run('linked', LINKED);
      const verdict = await watcher.until(image.id, ({ findings }) => findings.some(({ loaded }) => loaded));
      const loaded = new Map(
        verdict.findings.map((each) => [/debian\/([^@]+)/.exec(each.purl)?.[1], each.loaded]),
      );
      expect(loaded).toEqual(
        new Map([
          ['apt', true],
          ['libapt-pkg6.0', true],
        ]),
      );
      // Whoever asks inside runs programs of its own, so it is the last that is done.
      const found = await loadedPackages(image);
      expect(found).toEqual(await packagesByDpkg('linked'));
      expect(found).toEqual(
        expect.arrayContaining(['apt', 'coreutils', 'dash', 'libapt-pkg6.0', 'libc6', 'zlib1g']),
      );
    });

    /** What dpkg itself says of what the first process and its children have mapped. */
    async function packagesByDpkg(pod: string): Promise<string[]> {
      const script = `cd /proc/1/task/1
        for each in 1 $(cat children); do grep ' r-xp .* /' /proc/$each/maps; done | sed 's,^[^/]*,,' | sort -u |
        while read -r file; do dpkg -S "$file" 2>/dev/null || dpkg -S "\${file#/usr}"; done | cut -d: -f1 | sort -u`;
      const { code, stdout } = await cluster.kubectl(['exec', pod, '--', 'sh', '-c', script]);
      expect(code).toBe(0);
      return stdout.trim().split('\n').sort();
    }

    it('tells of programs that are not of the image, by how they got there, until the container is gone', async () => {
      await run('drifting', DRIFTING);
      const expected = [
        'deleted /root/a/removed',
        'memory /memfd:hidden',
        'mounted /data/volume',
        'written /root/a/added',
        'written /usr/bin/yes',
      ];
      await eventually(async () => expect(await driftOf('drifting')).toEqual(expected), {
        what: 'all drift to be told',
      });
      const counted = (await metrics.drift.get()).values.map(({ labels, value }) => [labels.kind, value]);
      expect(new Map(counted as [string, number][])).toEqual(
        new Map([
          ['deleted', 1],
          ['memory', 1],
          ['mounted', 1],
          ['written', 2],
        ]),
      );
      expect(await cluster.kubectl(['delete', 'pod', 'drifting', '--now'])).toMatchObject({ code: 0 });
      await eventually(async () => expect(await driftOf('drifting')).toEqual([]), {
        what: 'the drift to be gone',
      });
    });

    it('tells of no drift where all that runs is of the image', async () => {
      expect(await driftOf('linked')).toEqual([]);
    });
  },
);
