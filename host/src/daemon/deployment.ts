/** One deployment of a host: what is asked for is checked, compared with what runs, and done, one change after the other. */
import { NfError } from "@nfactor/sdk/errors";
import { nearest } from "@nfactor/sdk/manifest";
import type { Params as HostParams, Result as HostResult, RuntimesReport } from "../session/cluster_types.ts";
import type { ControlClient } from "../rpc/client.ts";
import type { Method, Result } from "../rpc/protocol.ts";
import { booksText } from "../result/books_text.ts";
import { plural } from "../result/text.ts";
import type { DeployedEntry, DeploymentSpec, DeploymentStatus } from "./deployment_spec.ts";
import { Keeper, type KeeperOptions } from "./keeper.ts";
import { digestsOf, runNameOf } from "./run_file.ts";
import { differenceOf, isSameEntry, isSameSpec, withEntries } from "./spec_difference.ts";
import type { Order } from "./state_folder.ts";
import { unlessAborted } from "./waiting.ts";

/** Changes that wait for the one that is being made. */
const CHANGES_MAX = 32;
const LOOK_MS = 5_000;

export interface DeploymentOptions extends KeeperOptions {
  /** Whether it could run here. Rejects with NfError. */
  readonly check: (run: string, spec: DeploymentSpec) => Promise<void>;
  /** Artifacts that nobody names any more may go. */
  readonly onChanged: () => void;
}

type Deploy = Pick<HostParams<"deploy">, "revision" | "spec" | "replace" | "dry_run">;
type Action = HostResult<"deploy">["action"];
type Done = Pick<HostResult<"deploy">, "action" | "flows_ended">;

export class Deployment {
  readonly name: string;
  readonly #options: DeploymentOptions;
  #keeper: Keeper | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Artifacts of what is being checked, and is in no order yet. */
  #pinned: readonly string[] = [];

  constructor(name: string, options: DeploymentOptions) {
    this.name = name;
    this.#options = options;
  }

  /** As the last daemon has left it. */
  resume(order: Order): void {
    this.#keeper = new Keeper(order, this.#options, true);
    if (order.ending) void this.#alone(new AbortController().signal, () => this.#end()).catch((error: unknown) => this.#options.say((error as Error).message));
    else this.#keeper.start();
  }

  /** Neither an order nor somebody who is about to give one. */
  get isNothing(): boolean {
    return this.#keeper === undefined && this.#waiting === 0;
  }
  get isRunning(): boolean {
    return this.#keeper?.state === "running";
  }
  /** Artifacts that are in use. */
  get digests(): string[] {
    const { spec, next } = this.#keeper?.order ?? {};
    return [...this.#pinned, ...(spec ? digestsOf(spec) : []), ...(next ? digestsOf(next.spec) : [])];
  }

  get status(): DeploymentStatus | undefined {
    if (!this.#keeper) return undefined;
    const { order, state, error, pid, starts } = this.#keeper;
    return {
      ...{ deployment: this.name, revision: order.revision, spec: order.spec, state, starts },
      ...(error ? { error: { code: error.code, message: error.message, ...(error.fix === undefined ? {} : { fix: error.fix }) } } : {}),
      ...(pid === undefined ? {} : { pid }),
    };
  }

  /** Resolves when it runs so. Rejects with NfError, and then what ran goes on; what did not run is started again until it does. */
  deploy(wish: Deploy, signal: AbortSignal): Promise<Done> {
    return this.#alone(signal, () => this.#pinning(digestsOf(wish.spec), () => this.#deploy(wish, signal)));
  }

  /** Nothing of it is left when this resolves. What is not there is ended already. */
  undeploy({ dry_run }: { dry_run: boolean }, signal: AbortSignal): Promise<{ flows_ended: number }> {
    return this.#alone(signal, async () => {
      const keeper = this.#keeper;
      if (!keeper) return { flows_ended: 0 };
      const flows_ended = await this.#flows();
      if (dry_run) return { flows_ended };
      // From now on it is ended whatever happens to us.
      keeper.write({ ...keeper.order, ending: true });
      await this.#end(flows_ended);
      return { flows_ended };
    });
  }

  swap({ entry, revision, next, dry_run }: Omit<HostParams<"swap">, "deployment">, signal: AbortSignal): Promise<Result<"swap">> {
    return this.#alone(signal, () => this.#pinning([next.nf.digest], () => this.#swap(entry, revision, next, dry_run, signal)));
  }

  /** Of its control socket. `isChange`: alone, as other changes are. */
  call(method: Method, params: object, signal: AbortSignal, isChange = false): Promise<unknown> {
    const call = async (): Promise<unknown> => this.#require().call(method, params, signal);
    return isChange ? this.#alone(signal, call) : call();
  }

  /** A connection of its own to the control socket, for as long as `use` takes. */
  connected<T>(use: (client: ControlClient) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#require().connected(use, signal);
  }

  async load(signal: AbortSignal): Promise<RuntimesReport> {
    return this.#require().runtimes(signal);
  }

  /** What runs goes on without us. */
  async leave(): Promise<void> {
    await this.#keeper?.abandon();
  }

  async #deploy({ revision, spec, replace, dry_run }: Deploy, signal: AbortSignal): Promise<Done> {
    const keeper = this.#keeper;
    if (!keeper) return this.#begin(revision, spec, dry_run, signal);
    const { order } = keeper;
    const newest = order.next ?? order;
    if (revision < newest.revision || (revision === newest.revision && !isSameSpec(newest.spec, spec))) throw this.#stale(revision, newest.revision);
    const keep = { ...order, revision, spec, next: undefined };
    const difference = differenceOf(order.spec, spec);
    if (revision === newest.revision || difference.kind === "none") {
      if (dry_run) return { action: "none", flows_ended: 0 };
      await keeper.whole(signal);
      if (revision !== newest.revision) keeper.write(keep);
      return { action: "none", flows_ended: 0 };
    }
    if (!keeper.mayRun) return this.#again("start", keep, 0, dry_run, signal);
    if (difference.kind === "entries") {
      const refused = await this.#changeEntries({ revision, spec }, difference.entries, dry_run, signal);
      if (!refused) return { action: "swap", flows_ended: 0 };
      if (!replace || refused.code !== "swap.layout") throw refused;
    } else if (!replace) throw this.#otherShape(difference.fields, await this.#flows());
    return this.#again("replace", keep, await this.#flows(), dry_run, signal);
  }

  async #begin(revision: number, spec: DeploymentSpec, dry_run: boolean, signal: AbortSignal): Promise<Done> {
    await this.#check(spec, signal);
    if (dry_run) return { action: "start", flows_ended: 0 };
    const order: Order = { v: 1, deployment: this.name, revision, spec, ending: false };
    const keeper = new Keeper(order, this.#options);
    keeper.write(order);
    this.#keeper = keeper;
    keeper.start();
    await keeper.whole(signal);
    return { action: "start", flows_ended: 0 };
  }

  /** From the beginning, with another order. */
  async #again(action: Action, order: Order, flows_ended: number, dry_run: boolean, signal: AbortSignal): Promise<Done> {
    const keeper = this.#keeper!;
    await this.#check(order.spec, signal);
    if (dry_run) return { action, flows_ended };
    await keeper.end();
    keeper.write(order);
    keeper.start();
    await keeper.whole(signal);
    return { action, flows_ended };
  }

  /** Why it is not to be had; undefined when it was done. All are tried before the first is changed. */
  async #changeEntries(
    next: { revision: number; spec: DeploymentSpec },
    entries: readonly number[],
    dry_run: boolean,
    signal: AbortSignal,
  ): Promise<NfError | undefined> {
    const keeper = this.#keeper!;
    await keeper.whole(signal);
    for (const i of entries) {
      try {
        await keeper.swapOne(next.spec.chain[i]!, true, signal);
      } catch (error) {
        if (error instanceof NfError && error.code === "swap.layout") return error;
        throw error;
      }
    }
    if (dry_run) return undefined;
    const before = keeper.order.spec;
    keeper.write({ ...keeper.order, next });
    // Once begun it is carried out, whoever waits for it.
    const refused = await keeper.finish(new AbortController().signal);
    if (!refused) return undefined;
    if (!isSameSpec(keeper.order.spec, before)) this.#options.say(`not all of its entries could be changed back after one was refused: ${refused.message}`);
    throw refused;
  }

  async #swap(entry: string, revision: number, next: DeployedEntry, dry_run: boolean, signal: AbortSignal): Promise<Result<"swap">> {
    const keeper = this.#require();
    await keeper.whole(signal);
    const { order } = keeper;
    const at = this.#entryAt(order.spec, entry);
    const now = order.spec.chain[at]!;
    if (next.name !== entry)
      throw new NfError("rpc.params", `entry '${entry}' cannot become '${next.name}'`, { allowed: entry, fix: "An entry keeps its name." });
    if (revision < order.revision || (revision === order.revision && !isSameEntry(now, next))) throw this.#stale(revision, order.revision);
    if (revision === order.revision) return { ...unchanged(next), dry_run };
    const spec = withEntries(order.spec, { ...order.spec, chain: order.spec.chain.map(() => next) }, [at]);
    const difference = differenceOf(order.spec, spec);
    if (difference.kind === "shape") throw this.#otherShape(difference.fields, await this.#flows());
    if (dry_run) return keeper.swapOne(next, true, signal);
    keeper.write({ ...order, next: { revision, spec } });
    if (difference.kind === "none") {
      await keeper.finish(signal);
      return { ...unchanged(next), dry_run };
    }
    let result: Result<"swap"> | undefined;
    const forGood = new AbortController().signal;
    const refused = await keeper.finish(forGood, { swapOne: async (one) => (result = await keeper.swapOne(one, false, forGood)) });
    if (refused) throw refused;
    return result!;
  }

  async #end(flows = 0): Promise<void> {
    const packets = await this.#keeper!.end();
    this.#options.folder.remove();
    this.#keeper = undefined;
    const books = packets ? `; packets: ${booksText(packets)}` : "";
    this.#options.say(`it has ended${flows > 0 ? `, and ${plural(flows, "flow")} with it` : ""}${books}`, packets);
  }

  async #check(spec: DeploymentSpec, signal: AbortSignal): Promise<void> {
    await this.#options.artifacts.require(digestsOf(spec), signal);
    await unlessAborted(this.#options.check(runNameOf(this.name), spec), signal);
  }

  /** That it has now; 0 when nobody answers. */
  async #flows(): Promise<number> {
    const over = AbortSignal.timeout(LOOK_MS);
    const report = await this.#keeper?.runtimes(over).catch(() => undefined);
    return report?.runtimes.reduce((sum, { runtime, flows }) => sum + (runtime === 0 ? 0 : flows), 0) ?? 0;
  }

  async #pinning<T>(digests: readonly string[], what: () => Promise<T>): Promise<T> {
    this.#pinned = digests;
    try {
      return await what();
    } finally {
      this.#pinned = [];
    }
  }

  /** One change after the other. Rejects with NfError (rpc.busy), or the signal's reason while it waits. */
  async #alone<T>(signal: AbortSignal, what: () => Promise<T>): Promise<T> {
    if (this.#waiting >= CHANGES_MAX)
      throw new NfError("rpc.busy", `${CHANGES_MAX} changes of deployment ${this.name} wait for each other`, { fix: "Try again when some of them are done." });
    this.#waiting += 1;
    const before = this.#last;
    const done = (async () => {
      await unlessAborted(before, signal);
      return what();
    })();
    // Who gives up while it waits lets nobody overtake those before it.
    this.#last = Promise.allSettled([before, done]);
    try {
      return await done;
    } finally {
      this.#waiting -= 1;
      this.#options.onChanged();
    }
  }

  #require(): Keeper {
    if (this.#keeper) return this.#keeper;
    throw noDeployment(this.name);
  }

  #entryAt({ chain }: DeploymentSpec, entry: string): number {
    const names = chain.map(({ name }) => name);
    const at = names.indexOf(entry);
    if (at >= 0) return at;
    const meant = nearest(entry, names);
    throw new NfError("swap.entry", `the chain of ${this.name} has no entry '${entry}'`, {
      given: entry,
      allowed: names.join(", "),
      fix: meant === undefined ? undefined : `Did you mean '${meant}'?`,
    });
  }

  #stale(revision: number, newest: number): NfError {
    return new NfError(
      "host.stale",
      revision < newest
        ? `the host has revision ${newest} of deployment ${this.name} already, which is newer than ${revision}`
        : `the host has revision ${newest} of deployment ${this.name} with other contents`,
      { given: String(revision), allowed: `more than ${newest}`, fix: "Give a change a revision of its own, higher than all before it." },
    );
  }

  #otherShape(fields: readonly string[], flows: number): NfError {
    return new NfError("host.shape", `deployment ${this.name} cannot be changed into this while it runs, as these differ: ${fields.join(", ")}`, {
      allowed: "other NFs, configurations and grants of the same entries",
      fix: `Deploy it with 'replace': it is started anew, and its ${plural(flows, "flow")} would end.`,
    });
  }
}

export function noDeployment(name: string): NfError {
  return new NfError("host.no_deployment", `this host has no deployment ${name}`, { given: name, fix: "Deploy it first, or ask its host." });
}

/** A swap that was done before. */
function unchanged({ name: entry, nf }: DeployedEntry): Result<"swap"> {
  return { entry, dry_run: false, from: nf, to: nf, flows: 0, pause_ns: 0, burst_ns: 0, prepare_ms: 0, packets_dropped: 0 };
}
