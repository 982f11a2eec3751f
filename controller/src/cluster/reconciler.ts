/**
 * Brings hosts to what is wanted: asks `reconcile` what is to be done whenever something has changed, and now and then, and does it. One order at a time for
 * each deployment; one that fails is tried again after a time that doubles, and at once when something else is wanted or the host comes back.
 *
 * Nothing of this is kept: a controller that is started anew finds out what is left to do, and asks under the keys that the last one may have used.
 */
import type { Clock } from "@nfactor/host/clock";
import type { DeploymentStatus, Result } from "@nfactor/host/cluster";
import type { HostSession } from "@nfactor/host/identity";
import { ERROR_CODES, type ErrorCode } from "@nfactor/sdk/error_codes";
import { NfError } from "@nfactor/sdk/errors";
import type { Stored } from "../store/index.ts";
import type { EventLog } from "./event_log.ts";
import type { Deployment } from "./kinds.ts";
import type { Observed } from "./observed.ts";
import { type Desired, type Finding, type Order, type Peer, reconcile } from "./reconcile.ts";
import { repeat } from "./repeat.ts";

export interface ReconcilerOptions {
  readonly clock: Clock;
  readonly observed: Observed;
  readonly deployments: () => Iterable<Stored<Deployment>>;
  readonly peersOf: (deployment: Deployment) => readonly Peer[];
  readonly sessionOf: (host: string) => HostSession | undefined;
  /** It was to end, and has: its object goes, unless it was changed meanwhile. */
  readonly forget: (deployment: Stored<Deployment>) => Promise<unknown>;
  readonly events: EventLog;
}

/** What came of bringing a host to a revision. */
export interface Carried {
  /** False: its host is away, and will be asked when it is back. */
  readonly done: boolean;
  readonly deploy?: Result<"deploy"> | undefined;
  readonly swap?: Result<"swap"> | undefined;
  readonly undeploy?: Result<"undeploy"> | undefined;
  readonly peers?: Result<"configure_peers"> | undefined;
}

interface Work {
  incarnation: number;
  revision: number;
  attempt: number;
  failures: number;
  notBeforeMs: number;
  isBusy: boolean;
  peersTold: string | undefined;
  /** Of the last order for this revision. */
  carried: Omit<Carried, "done">;
  error: NfError | undefined;
}

interface Waiter {
  readonly deployment: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly until: "there" | "gone";
  readonly done: (carried: Carried) => void;
  readonly fail: (why: unknown) => void;
}

const EVERY_MS = 2_000;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MOST_MS = 60_000;
/** The order may have been carried out or not, or could not be begun: it is asked for again under its key. */
const UNDECIDED: ReadonlySet<ErrorCode> = new Set(["rpc.busy", "rpc.closed", "rpc.lost", "rpc.replaced", "rpc.slow", "rpc.deadline", "rpc.cancelled"]);

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #works = new Map<string, Work>();
  readonly #waiters = new Set<Waiter>();
  /** Findings that were told, until they are no more. */
  readonly #told = new Set<string>();
  readonly #stopRepeating: () => void;
  #isDue = false;
  #isClosed = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#stopRepeating = repeat(options.clock, EVERY_MS, () => this.kick());
  }

  /** Looks at everything, in the next turn. */
  kick(): void {
    if (this.#isDue || this.#isClosed) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      if (!this.#isClosed) this.#run();
    });
  }

  /** The host has come back: what failed is tried again now, and it may have forgotten what it was told. */
  hostIsBack(host: string): void {
    for (const { name, object } of this.#options.deployments()) {
      const work = this.#works.get(name);
      if (object.host === host && work) Object.assign(work, { notBeforeMs: 0, failures: 0, peersTold: undefined });
    }
    this.kick();
  }

  /** Why it is not as it should be, when that is known. */
  errorOf(deployment: string): NfError | undefined {
    return this.#works.get(deployment)?.error;
  }

  isBusy(deployment: string): boolean {
    return this.#works.get(deployment)?.isBusy ?? false;
  }

  /**
   * Resolves when the host has the revision, or a newer one, and runs it (`until: there`), or has none of it (`gone`); or when it turns out to be away. Rejects
   * with what the host refuses it with, and with the signal's reason.
   */
  wait(stored: Stored<Deployment>, until: "there" | "gone", signal?: AbortSignal): Promise<Carried> {
    return new Promise<Carried>((done, fail) => {
      const stop = (): void => over(() => fail(signal!.reason));
      const over = (call: () => void): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener("abort", stop);
        call();
      };
      const waiter: Waiter = {
        ...{ deployment: stored.name, incarnation: stored.createRevision, revision: newestOf(stored.object).revision, until },
        done: (carried) => over(() => done(carried)),
        fail: (why) => over(() => fail(why)),
      };
      if (this.#isClosed) return fail(closing());
      this.#waiters.add(waiter);
      signal?.addEventListener("abort", stop, { once: true });
      if (signal?.aborted) stop();
      this.kick();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#stopRepeating();
    for (const waiter of [...this.#waiters]) waiter.fail(closing());
  }

  #run(): void {
    const { clock, observed } = this.#options;
    const all = new Map([...this.#options.deployments()].map((one) => [one.name, one]));
    const hosts = observed.all.flatMap(({ name, session, deployments }) =>
      session?.isOpen && deployments ? [{ host: name, deployments: [...deployments.values()] }] : [],
    );
    const { orders, ended, findings } = reconcile(
      [...all.values()].map((one) => this.#desired(one)),
      hosts,
      clock.nowMs(),
    );
    this.#tell(findings);
    this.#answer(all);
    for (const name of this.#works.keys()) if (!all.has(name) && !this.isBusy(name)) this.#works.delete(name);
    for (const name of ended) void this.#end(all.get(name)!);
    for (const order of orders) void this.#carryOut(order);
  }

  #desired(stored: Stored<Deployment>): Desired {
    const { host, ending } = stored.object;
    const { revision, spec, replace } = newestOf(stored.object);
    const { isBusy, notBeforeMs, attempt, peersTold } = this.#workOf(stored);
    const peers = this.#options.peersOf(stored.object);
    const { gone } = stored.object;
    return {
      deployment: stored.name,
      host,
      incarnation: stored.createRevision,
      revision,
      spec,
      replace,
      ending,
      peers,
      gone,
      peersTold,
      isBusy,
      notBeforeMs,
      attempt,
    };
  }

  #workOf({ name, object, createRevision }: Stored<Deployment>): Work {
    const revision = newestOf(object).revision + (object.ending ? 0.5 : 0);
    const work: Work = this.#works.get(name) ?? {
      ...{ incarnation: createRevision, revision, attempt: 0, failures: 0, notBeforeMs: 0, isBusy: false },
      ...{ peersTold: undefined, carried: {}, error: undefined },
    };
    this.#works.set(name, work);
    if (work.revision !== revision || work.incarnation !== createRevision)
      Object.assign(work, { revision, incarnation: createRevision, attempt: 0, failures: 0, notBeforeMs: 0, carried: {}, error: undefined });
    return work;
  }

  async #carryOut(order: Order): Promise<void> {
    const { clock, observed, sessionOf } = this.#options;
    const session = sessionOf(order.host);
    const work = this.#works.get(order.deployment)!;
    if (!session?.isOpen) return;
    const { revision } = work;
    work.isBusy = true;
    let why: NfError | undefined;
    let carried: Omit<Carried, "done"> = {};
    try {
      carried = await this.#ask(session, order);
    } catch (error) {
      why = error instanceof NfError ? error : new NfError("internal", String(error), { cause: error });
    }
    if (this.#isClosed) return;
    await observed.refresh(order.host);
    work.isBusy = false;
    // Something else is wanted by now: what came of this says nothing about that.
    if (work.revision === revision) {
      // Who stays for its runtimes goes when they have left: it is said again until then.
      if (order.kind === "configure_peers" && !why && !carried.peers?.used) work.peersTold = order.told;
      work.carried = { ...work.carried, ...carried };
      if (why && (UNDECIDED.has(why.code) || !session.isOpen)) work.notBeforeMs = session.isOpen ? clock.nowMs() + BACKOFF_FIRST_MS : 0;
      else {
        work.attempt += 1;
        if (why) this.#failed(order, work, why);
        else Object.assign(work, { failures: 0, notBeforeMs: carried.peers?.used ? clock.nowMs() + EVERY_MS : 0, error: undefined });
      }
    }
    this.kick();
  }

  async #ask(session: HostSession, order: Order): Promise<Omit<Carried, "done">> {
    const { deployment, key } = order;
    switch (order.kind) {
      case "deploy": {
        const { revision, spec, replace } = order;
        return { deploy: await session.call("deploy", { deployment, revision, spec, replace, dry_run: false }, { key }) };
      }
      case "swap": {
        const { revision, entry, next } = order;
        return { swap: await session.call("swap", { deployment, revision, entry, next, dry_run: false }, { key }) };
      }
      case "undeploy":
        return { undeploy: await session.call("undeploy", { deployment, dry_run: false }, { key }) };
      case "configure_peers": {
        const { peers, gone } = order;
        return { peers: await session.call("configure_peers", { deployment, peers: [...peers], keep_used: true, gone: [...gone] }, { key }) };
      }
    }
  }

  #failed({ kind, deployment, host }: Order, work: Work, why: NfError): void {
    const { clock, events } = this.#options;
    work.failures += 1;
    const waitMs = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** Math.min(work.failures - 1, 20));
    work.notBeforeMs = clock.nowMs() + waitMs;
    const isNew = work.error?.message !== why.message;
    work.error = why;
    if (isNew) events.add("deployment", deployment, "error", `host ${host} could not ${WORDS[kind]}: ${why.message} (${why.code}); it is tried again`);
    for (const waiter of [...this.#waiters])
      if (waiter.deployment === deployment && waiter.incarnation === work.incarnation && kind !== "configure_peers") waiter.fail(why);
  }

  async #end(stored: Stored<Deployment>): Promise<void> {
    const work = this.#workOf(stored);
    if (work.isBusy) return;
    work.isBusy = true;
    // Not at once again, when the store refuses it or it was changed meanwhile: that would leave no time for anything else.
    work.notBeforeMs = this.#options.clock.nowMs() + BACKOFF_FIRST_MS;
    try {
      await this.#options.forget(stored);
    } catch (error) {
      work.error = error instanceof NfError ? error : new NfError("internal", String(error), { cause: error });
    }
    work.isBusy = false;
    this.kick();
  }

  /** Those who wait for what has come to be, or cannot now. */
  #answer(all: ReadonlyMap<string, Stored<Deployment>>): void {
    for (const waiter of [...this.#waiters]) {
      const stored = all.get(waiter.deployment);
      const work = this.#works.get(waiter.deployment);
      const isThere = stored?.createRevision === waiter.incarnation;
      if (!isThere) {
        if (waiter.until === "gone") waiter.done({ done: true, ...work?.carried });
        else waiter.fail(new NfError("cluster.ending", `deployment ${waiter.deployment} was ended meanwhile`, { fix: "Deploy it again." }));
        continue;
      }
      const seen = this.#options.observed.get(stored.object.host);
      if (!seen.session?.isOpen) waiter.done({ done: false });
      else if (waiter.until === "there" && seen.deployments && !work?.isBusy) this.#answerThere(waiter, stored, seen.deployments.get(waiter.deployment), work);
    }
  }

  #answerThere(waiter: Waiter, { object }: Stored<Deployment>, status: DeploymentStatus | undefined, work: Work | undefined): void {
    if (object.ending)
      return waiter.fail(new NfError("cluster.ending", `deployment ${waiter.deployment} is being ended`, { fix: "Deploy it again afterwards." }));
    if (!status || status.revision < waiter.revision) return;
    if (status.state === "running") waiter.done({ done: true, ...work?.carried });
    else if (status.state === "failed") waiter.fail(errorOfStatus(status));
  }

  #tell(findings: readonly Finding[]): void {
    const now = new Set(findings.map(({ kind, host, deployment }) => `${kind} ${host} ${deployment}`));
    for (const told of this.#told) if (!now.has(told)) this.#told.delete(told);
    for (const { kind, host, deployment, text } of findings) {
      const key = `${kind} ${host} ${deployment}`;
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      this.#options.events.add("deployment", deployment, "warning", text);
    }
  }
}

const closing = (): NfError => new NfError("store.closed", "the controller ends", { fix: "Ask again when it is back: what was stored is carried out then." });

const WORDS: Readonly<Record<Order["kind"], string>> = { deploy: "deploy it", swap: "swap its NF", undeploy: "end it", configure_peers: "use its peers" };

export const newestOf = ({ revisions }: Pick<Deployment, "revisions">): Deployment["revisions"][number] => revisions.at(-1)!;

export function errorOfStatus({ deployment, error }: DeploymentStatus): NfError {
  const { code = "internal", message = `deployment ${deployment} does not run`, fix } = error ?? {};
  return new NfError(Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "internal", message, { fix });
}
