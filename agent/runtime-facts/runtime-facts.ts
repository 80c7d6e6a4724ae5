import { setTimeout as delay } from 'node:timers/promises';
import { explain } from '@gatehouse/lib/errors.ts';
import type { Log } from '@gatehouse/lib/log.ts';
import type { CoreForAgents } from '../bring-layer.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Runtime, RuntimeContainer } from '../runtimes/runtime.ts';
import { type Drift, lookAtContainer, MAX_LOADED, type Sight } from './look.ts';
import { linkOf, processesByMounts } from './processes.ts';
import { WrittenPrograms } from './programs.ts';

/** When containers are looked at, in milliseconds. */
export interface FactsPlan {
  /** How often it is asked which containers are due. */
  readonly tick: number;
  /** The first looks at a container, counted from when it was first seen. */
  readonly after: readonly number[];
  /** All later ones, each counted from the one before. */
  readonly every: number;
  /** How long a program must still run after it was seen. */
  readonly confirm: number;
}

/**
 * Most programs load all that they ever do within a minute; plug-ins and what people start by hand come later. With 100
 * containers that is one look every 6 s. A runtime that begins a program within a container is that program itself for
 * some 50 ms, and lies on no disk then: a second later it is not there any more.
 */
export const FACTS_PLAN: FactsPlan = { tick: 5_000, after: [10_000, 60_000], every: 600_000, confirm: 1_000 };

/** An agent that starts on a full node takes a minute or two for the first looks, and not one burst. */
const MAX_LOOKS_PER_TICK = 8;
/** As the core keeps them. */
const MAX_DRIFT = 50;
/** So many containers that cannot be seen, and none that can, are no coincidence. */
const MISSES_TO_WARN = 3;

interface Watched {
  readonly container: RuntimeContainer;
  readonly since: number;
  looks: number;
  next: number;
  /** What the core was told that it runs and that is not of its image. */
  readonly drift: Set<string>;
}

interface FactsParts {
  readonly runtime: Runtime;
  readonly core: CoreForAgents;
  readonly metrics: AgentMetrics;
  readonly log: Log;
}

/** Looks now and then at what the containers of a node run, and tells the core what of that is new. */
export class RuntimeFacts {
  readonly #parts: FactsParts;
  readonly #plan: FactsPlan;
  readonly #watched = new Map<string, Watched>();
  /** The files that the core was told of, by image. */
  readonly #told = new Map<string, Set<string>>();
  readonly #written = new WrittenPrograms();
  #misses = 0;

  constructor(parts: FactsParts, plan: FactsPlan) {
    this.#parts = parts;
    this.#plan = plan;
  }

  /** Takes in which containers there are, once the core has heard of them. */
  update(containers: readonly RuntimeContainer[]): void {
    const running = new Map(containers.filter((each) => each.running).map((each) => [each.id, each]));
    for (const id of this.#watched.keys()) if (!running.has(id)) this.#watched.delete(id);
    for (const [id, container] of running) {
      if (this.#watched.has(id)) continue;
      const since = performance.now();
      const next = since + (this.#plan.after[0] ?? 0);
      this.#watched.set(id, { container, since, looks: 0, next, drift: new Set() });
    }
    const images = new Set([...running.values()].map(({ image }) => image));
    for (const image of this.#told.keys()) if (!images.has(image)) this.#told.delete(image);
  }

  /** The core has lost what it was told of an image: it is told again. */
  forget(image: string): void {
    this.#told.delete(image);
    for (const { container, drift } of this.#watched.values()) if (container.image === image) drift.clear();
  }

  /** Looks at what is due until the signal aborts. Whatever fails is tried again at the container's next look. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#plan.tick, undefined, { signal }).catch(() => undefined);
      const now = performance.now();
      // Whoever has waited longest is first.
      const due = [...this.#watched.values()]
        .filter(({ next }) => next <= now)
        .sort((a, b) => a.next - b.next);
      if (due.length === 0 || signal.aborted) continue;
      await this.#lookAt(due.slice(0, MAX_LOOKS_PER_TICK), signal);
    }
  }

  async #lookAt(due: readonly Watched[], signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const processes = new ProcessTables();
    for (const watched of due) {
      if (signal.aborted) return;
      watched.looks += 1;
      watched.next = this.#nextLook(watched);
      try {
        const sight = await this.#see(watched, processes, signal);
        if (sight) await this.#tell(watched, sight, signal);
      } catch (err) {
        // Containers end, and the core is away, all the time.
        if (!signal.aborted) log.debug({ err, container: watched.container.id }, `no facts: ${explain(err)}`);
      }
    }
  }

  #nextLook({ since, looks }: Watched): number {
    const planned = this.#plan.after[looks];
    return planned === undefined ? performance.now() + this.#plan.every : since + planned;
  }

  async #see(
    { container }: Watched,
    processes: ProcessTables,
    signal: AbortSignal,
  ): Promise<Sight | undefined> {
    const { runtime, metrics } = this.#parts;
    const process = await runtime.processOf(container.id, signal);
    const pids = process && (await processes.sharing(`${process.node}/proc`, process.pid));
    const sight = pids && (await lookAtContainer(process, pids, this.#written));
    metrics.looks.inc({ result: sight ? 'seen' : 'hidden' });
    if (process) this.#noteMiss(!sight);
    return sight;
  }

  /** Says once what is missing where no container can be seen. */
  #noteMiss(missed: boolean): void {
    this.#misses = missed ? this.#misses + 1 : Number.NEGATIVE_INFINITY;
    if (this.#misses !== MISSES_TO_WARN) return;
    this.#parts.log.warn(
      'the processes of containers cannot be seen: run the agent among the processes of the node (hostPID), with CAP_SYS_PTRACE',
    );
  }

  async #tell(watched: Watched, sight: Sight, signal: AbortSignal): Promise<void> {
    const { core, log, metrics } = this.#parts;
    const { id, image, namespace, pod, name } = watched.container;
    const drift = await this.#confirm(
      sight.drift.filter((each) => !watched.drift.has(keyOf(each))),
      signal,
    );
    // The container is gone meanwhile, and with it perhaps what was known of its image.
    if (this.#watched.get(id) !== watched) return;
    const told = this.#told.get(image) ?? new Set();
    this.#told.set(image, told);
    // A container can write and map files without end.
    const loaded = [...sight.loaded].filter((path) => !told.has(path)).slice(0, MAX_LOADED - told.size);
    const fresh = drift.slice(0, MAX_DRIFT - watched.drift.size);
    if (loaded.length === 0 && fresh.length === 0) return;
    const report = { container: id, loaded, drift: fresh.map(({ path, kind }) => ({ path, kind })) };
    if (!(await core.reportRuntimeFacts(report, signal))) return;
    for (const path of loaded) told.add(path);
    for (const each of fresh) {
      const { kind, path } = each;
      watched.drift.add(keyOf(each));
      metrics.drift.inc({ kind });
      log.warn(
        { namespace, pod, name, container: id, image, kind, path },
        'a container runs a program that is not of its image',
      );
    }
    log.debug({ container: id, image, loaded: loaded.length }, 'files of the image that run');
  }

  /** What still runs some time later. */
  async #confirm(drift: readonly Drift[], signal: AbortSignal): Promise<readonly Drift[]> {
    if (drift.length === 0) return drift;
    await delay(this.#plan.confirm, undefined, { signal });
    return drift.filter(({ exe, link }) => linkOf(exe) === link);
  }
}

function keyOf({ kind, path }: Drift): string {
  return `${kind}\n${path}`;
}

/** The processes of the node, listed once for all containers that are due together. */
class ProcessTables {
  readonly #tables = new Map<string, ReturnType<typeof processesByMounts>>();

  /** Those that see the same mounts as a process, if that can be seen itself. */
  async sharing(proc: string, pid: number): Promise<readonly number[] | undefined> {
    const table = this.#tables.get(proc) ?? processesByMounts(proc);
    this.#tables.set(proc, table);
    return (await table).values().find((pids) => pids.includes(pid));
  }
}
