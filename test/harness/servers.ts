import { Component, type ComponentSpec, type Place } from './component.ts';
import { HarnessError } from './errors.ts';

/** The servers of a cluster, which tests stop and start again by name. */
export class Servers {
  readonly #place: Place;
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #specs = new Map<string, ComponentSpec>();
  readonly #running = new Map<string, Component>();

  /** `env` is laid over that of this process. */
  constructor(place: Place, folder: string, env: Readonly<Record<string, string>>) {
    this.#place = place;
    this.#folder = folder;
    this.#env = env;
  }

  async add(spec: ComponentSpec): Promise<void> {
    this.#specs.set(spec.name, spec);
    await this.start(spec.name);
  }

  /** Starts a server that is stopped, and waits until it serves. */
  async start(name: string): Promise<void> {
    if (this.#running.has(name)) return;
    const spec = this.#spec(name);
    const component = await Component.start({ ...spec, env: this.#env }, this.#place, this.#folder);
    this.#running.set(name, component);
  }

  /** Ends a server at once, as a crash would. */
  async stop(name: string): Promise<void> {
    await this.#running.get(this.#spec(name).name)?.kill();
    this.#running.delete(name);
  }

  #spec(name: string): ComponentSpec {
    const spec = this.#specs.get(name);
    if (spec) return spec;
    throw new HarnessError('component_failed', `the cluster has no server ${name}`, {
      hint: `Its servers are ${[...this.#specs.keys()].join(', ')}.`,
    });
  }
}
