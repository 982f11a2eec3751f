/** A host is emptied: scaling moves what can leave, and this waits for it. What has its interfaces there cannot leave. */
import type { Clock } from "@nfactor/host/clock";
import { NfError } from "@nfactor/sdk/errors";
import type { Stored } from "../store/index.ts";
import type { Hosts } from "./hosts.ts";
import type { Deployment } from "./kinds.ts";
import type { Observed } from "./observed.ts";
import type { Peer } from "./reconcile.ts";
import { repeat } from "./repeat.ts";
import type { ScalingLoop } from "./scaling_loop.ts";

export interface HostDrainOptions {
  readonly clock: Clock;
  readonly hosts: Hosts;
  readonly observed: Observed;
  readonly deployments: () => Iterable<Stored<Deployment>>;
  readonly peersOf: (deployment: Deployment) => readonly Peer[];
  readonly scaling: Pick<ScalingLoop, "placesOf">;
}

const LOOK_MS = 1_000;
/** So long without any runtime leaving, it is over: the others have no room. */
const PATIENCE_MS = 600_000;

export class HostDrain {
  readonly #options: HostDrainOptions;
  readonly #closed = new AbortController();

  constructor(options: HostDrainOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed.abort(new NfError("store.closed", "the controller ends", { fix: "Ask again when it is back: the host stays cordoned." }));
  }

  /** Deployments that have their interfaces on it. */
  bound(host: string): readonly string[] {
    return [...this.#options.deployments()]
      .filter(({ object }) => object.host === host && !object.ending)
      .map(({ name }) => name)
      .sort();
  }

  /** Resolves when nothing is there that can leave, or when nothing has left for a long time. Rejects with the signal's reason. */
  wait(host: string, signal?: AbortSignal): Promise<{ readonly moved: number; readonly left: readonly string[] }> {
    const { clock } = this.#options;
    const all = AbortSignal.any([this.#closed.signal, ...(signal ? [signal] : [])]);
    return new Promise((done, fail) => {
      const first = this.#count(host).there;
      let [least, sinceMs] = [first, clock.nowMs()];
      const stop = (): void => {
        stopLooking();
        fail(all.reason as Error);
      };
      const look = (): void => {
        const { there, movable, names } = this.#count(host);
        if (there < least) [least, sinceMs] = [there, clock.nowMs()];
        if (movable > 0 && clock.nowMs() - sinceMs < PATIENCE_MS) return;
        stopLooking();
        all.removeEventListener("abort", stop);
        done({ moved: Math.max(0, first - there), left: [...new Set([...this.bound(host), ...names])].sort() });
      };
      const stopLooking = repeat(clock, LOOK_MS, look);
      all.addEventListener("abort", stop, { once: true });
      if (all.aborted) stop();
      else look();
    });
  }

  /** Runtimes on it; those that have somewhere else to go; whose they are. */
  #count(host: string): { readonly there: number; readonly movable: number; readonly names: readonly string[] } {
    const { deployments, hosts, observed, peersOf, scaling } = this.#options;
    let [there, movable] = [0, 0];
    const names: string[] = [];
    for (const { name, object } of deployments()) {
      const here = scaling.placesOf(name).filter((place) => place === host).length;
      if (here === 0) continue;
      there += here;
      names.push(name);
      const places = [object.host, ...peersOf(object).map((peer) => peer.name)];
      const canLeave = places.some((place) => place !== host && hosts.get(place)?.object.cordoned === false && hosts.isLeased(place));
      if (canLeave && observed.get(object.host).session?.isOpen) movable += here;
    }
    return { there, movable, names };
  }
}
