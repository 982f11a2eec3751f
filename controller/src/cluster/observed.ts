/**
 * What hosts say of themselves: while a host is connected, its deployments are asked for again and again, and loads come as a stream. What it said last is kept
 * in the store when it changes, so that a host that is away, or a controller that was started anew, does not make anybody think that nothing runs there.
 */
import type { Clock } from "@nfactor/host/clock";
import type { DeploymentStatus, HostInfo, RuntimesReport } from "@nfactor/host/cluster";
import type { HostSession } from "@nfactor/host/identity";
import { NfError } from "@nfactor/sdk/errors";
import { Collection, type Store } from "../store/index.ts";
import { HOST_SEEN, type HostSeen } from "./kinds.ts";
import { pause, repeat } from "./repeat.ts";
import { isSame } from "./same.ts";

export interface Load {
  readonly report: RuntimesReport;
  /** Of the controller's clock, as decisions see it. */
  readonly arrivedMs: number;
}

export interface SeenHost {
  readonly name: string;
  readonly session: HostSession | undefined;
  readonly info: HostInfo | undefined;
  /** What it has, as of this session; undefined until it has said so. */
  readonly deployments: ReadonlyMap<string, DeploymentStatus> | undefined;
  /** Of this session. */
  readonly loads: ReadonlyMap<string, Load>;
}

interface Seen {
  name: string;
  session: HostSession | undefined;
  info: HostInfo | undefined;
  deployments: Map<string, DeploymentStatus> | undefined;
  loads: Map<string, Load>;
  /** As it is in the store. */
  kept: HostSeen | undefined;
  asking: Promise<void> | undefined;
  /** Asked for while another answer was waited for. */
  next: Promise<void> | undefined;
  /** Until it is asked again, while something of it comes or goes. */
  soonMs: number;
  cancelSoon: () => void;
  stop: () => void;
}

export interface ObservedOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** ms, as decisions see it. */
  readonly nowMs: () => number;
  /** Something of a host is other than before: a session began or ended, or what it has. */
  readonly onChange: (host: string, what: "connected" | "away" | "deployments") => void;
  /** Another report of a deployment has come; `before` is of the same session. */
  readonly onReport?: (deployment: string, report: RuntimesReport, before: RuntimesReport | undefined) => void;
  readonly onTrouble: (host: string, why: NfError) => void;
}

const LOOK_MS = 5_000;
/** While something comes or goes: this soon first, then each time after twice as long. */
const SOON_MS = 50;
const INFO_EVERY_LOOKS = 12;
const LOAD_MS = 1_000;
const STREAM_AGAIN_MS = 2_000;
const NONE: ReadonlyMap<string, Load> = new Map();

export class Observed {
  readonly #options: ObservedOptions;
  readonly #records: Collection<HostSeen>;
  readonly #hosts = new Map<string, Seen>();
  #isClosed = false;

  private constructor(options: ObservedOptions) {
    this.#options = options;
    this.#records = new Collection(options.store, HOST_SEEN);
  }

  static async open(options: ObservedOptions): Promise<Observed> {
    const observed = new Observed(options);
    let after: string | undefined;
    do {
      const page = await observed.#records.list({ after });
      for (const { name, object } of page.objects) {
        const seen = observed.#of(name);
        seen.kept = object;
        seen.info = object.info as HostInfo | undefined;
      }
      after = page.next;
    } while (after !== undefined);
    return observed;
  }

  get(host: string): SeenHost {
    return this.#hosts.get(host) ?? { name: host, session: undefined, info: undefined, deployments: undefined, loads: NONE };
  }

  get all(): readonly SeenHost[] {
    return [...this.#hosts.values()];
  }

  /** Digests of what it has, or had when it was last heard of. */
  digestsOf(host: string): readonly string[] {
    const seen = this.#hosts.get(host);
    const now = [...(seen?.deployments?.values() ?? [])].flatMap(({ spec }) => spec.chain.map(({ nf }) => nf.digest));
    return [...now, ...Object.values(seen?.kept?.deployments ?? {}).flatMap(({ digests }) => digests)];
  }

  /** Deployments that it has, or had when it was last heard of. */
  namesOn(host: string): readonly string[] {
    const seen = this.#hosts.get(host);
    return seen?.deployments ? [...seen.deployments.keys()] : Object.keys(seen?.kept?.deployments ?? {});
  }

  forget(host: string): void {
    this.#hosts.get(host)?.stop();
    this.#hosts.delete(host);
  }

  /** Follows it until it ends. */
  follow(session: HostSession): void {
    // Another one has taken its place already.
    if (!session.isOpen) return;
    const seen = this.#of(session.peer.name);
    seen.stop();
    Object.assign(seen, { session, deployments: undefined, loads: new Map<string, Load>() });
    const { clock, onChange } = this.#options;
    let looks = 0;
    const stopLooking = repeat(clock, LOOK_MS, async () => {
      if ((looks += 1) % INFO_EVERY_LOOKS === 0) await this.#askInfo(seen, session);
      await this.refresh(seen.name);
    });
    const over = new AbortController();
    seen.stop = (): void => {
      stopLooking();
      seen.cancelSoon();
      over.abort();
      seen.stop = () => undefined;
    };
    void session.closed.then(() => {
      if (seen.session !== session) return;
      seen.stop();
      Object.assign(seen, { session: undefined, deployments: undefined, loads: new Map<string, Load>() });
      if (!this.#isClosed) onChange(seen.name, "away");
    });
    onChange(seen.name, "connected");
    void this.#askInfo(seen, session).then(() => this.refresh(seen.name));
    void this.#followLoads(seen, session, over.signal);
  }

  /** Asks what it has now. Resolves when the answer to a question that was asked after this call is there, or there will be none. */
  refresh(host: string): Promise<void> {
    const seen = this.#hosts.get(host);
    if (!seen) return Promise.resolve();
    const begin = (): Promise<void> => (seen.asking = this.#ask(seen).finally(() => (seen.asking = undefined)));
    if (!seen.asking) return begin();
    seen.next ??= seen.asking.then(() => {
      seen.next = undefined;
      return begin();
    });
    return seen.next;
  }

  close(): void {
    this.#isClosed = true;
    for (const seen of this.#hosts.values()) seen.stop();
  }

  #of(name: string): Seen {
    const known = this.#hosts.get(name);
    if (known) return known;
    const seen: Seen = {
      ...{ name, session: undefined, info: undefined, deployments: undefined, loads: new Map(), kept: undefined },
      ...{ asking: undefined, next: undefined, soonMs: SOON_MS, cancelSoon: () => undefined, stop: () => undefined },
    };
    this.#hosts.set(name, seen);
    return seen;
  }

  async #askInfo(seen: Seen, session: HostSession): Promise<void> {
    try {
      const info = await session.call("info", {});
      if (seen.session !== session) return;
      seen.info = info;
      await this.#keep(seen);
    } catch (error) {
      this.#trouble(seen, session, error);
    }
  }

  async #ask(seen: Seen): Promise<void> {
    const { session } = seen;
    if (!session?.isOpen) return;
    try {
      const { deployments } = await session.call("deployments", {});
      if (seen.session !== session) return;
      const before = seen.deployments;
      seen.deployments = new Map(deployments.map((status) => [status.deployment, status]));
      for (const name of seen.loads.keys()) if (!seen.deployments.has(name)) seen.loads.delete(name);
      this.#askSoon(seen);
      await this.#keep(seen);
      if (!before || !isSame([...before.values()], deployments)) this.#options.onChange(seen.name, "deployments");
    } catch (error) {
      this.#trouble(seen, session, error);
    }
  }

  /** What is being started or ended is otherwise by the next look what everybody has waited for. */
  #askSoon(seen: Seen): void {
    seen.cancelSoon();
    const isSettled = [...seen.deployments!.values()].every(({ state }) => state === "running" || state === "failed");
    if (isSettled) seen.soonMs = SOON_MS;
    if (isSettled || this.#isClosed || seen.soonMs >= LOOK_MS) return;
    seen.cancelSoon = this.#options.clock.after(seen.soonMs, () => void this.refresh(seen.name));
    seen.soonMs *= 2;
  }

  async #followLoads(seen: Seen, session: HostSession, signal: AbortSignal): Promise<void> {
    while (session.isOpen && !signal.aborted) {
      try {
        for await (const event of session.open("watch_load", { every_ms: LOAD_MS }, { signal })) {
          if (event.type === "gap" || seen.session !== session) continue;
          const { deployment, ...report } = event.item;
          const before = seen.loads.get(deployment)?.report;
          seen.loads.set(deployment, { report, arrivedMs: this.#options.nowMs() });
          this.#options.onReport?.(deployment, report, before);
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble(seen, session, error);
      }
      await pause(this.#options.clock, STREAM_AGAIN_MS, signal);
    }
  }

  async #keep(seen: Seen): Promise<void> {
    const deployments = seen.deployments
      ? Object.fromEntries(
          [...seen.deployments.values()].map(({ deployment, revision, spec }) => [
            deployment,
            { revision, digests: [...new Set(spec.chain.map(({ nf }) => nf.digest))] },
          ]),
        )
      : (seen.kept?.deployments ?? {});
    const info = seen.info && (JSON.parse(JSON.stringify(seen.info)) as NonNullable<HostSeen["info"]>);
    const now: HostSeen = { ...(info === undefined ? {} : { info }), deployments };
    if (this.#isClosed || isSame(seen.kept, now)) return;
    await this.#options.store.txn({ then: [this.#records.put(seen.name, now)] });
    seen.kept = now;
  }

  #trouble(seen: Seen, session: HostSession, error: unknown): void {
    if (this.#isClosed || !session.isOpen || seen.session !== session) return;
    this.#options.onTrouble(seen.name, error instanceof NfError ? error : new NfError("internal", String(error), { cause: error }));
  }
}
