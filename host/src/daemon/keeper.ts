/**
 * Keeps one deployment running: starts its supervisor, or finds the one that runs, starts it again when it ends, and finishes a change that was cut off.
 * Its order is on disk before a start depends on it, and after a change has succeeded.
 *
 * A change of entries is swapped in by the child one entry after the other. When the child dies in the middle of it, its processes run something between the
 * old chain and the new one; they are taken over by whoever would have started the same, so what may run is tried, beginning with the new one.
 */
import { NfError } from "@nfactor/sdk/errors";
import { EXIT, exitCodeOf } from "../cli/exit_codes.ts";
import type { Clock } from "../clock/clock.ts";
import { pause } from "../session/again.ts";
import type { RunResult } from "../result/run_result.ts";
import type { ControlClient } from "../rpc/client.ts";
import type { Method, Result } from "../rpc/protocol.ts";
import type { ArtifactCache } from "./artifact_cache.ts";
import { type Child, type Children, finalPackets } from "./child.ts";
import { ControlCalls, isUnanswered } from "./control_calls.ts";
import type { DeployedEntry, DeploymentSpec } from "./deployment_spec.ts";
import { swapEntries } from "./entry_swaps.ts";
import { digestsOf, runFileOf, runNameOf } from "./run_file.ts";
import { between, changedEntries } from "./spec_difference.ts";
import type { DeploymentFolder, Order } from "./state_folder.ts";
import { Changes, unlessAborted } from "./waiting.ts";

/** As the supervisor does with its processes. */
const BACKOFF_MS = { first: 100, most: 5000 };
/** What cannot start as it is ordered will hardly do so in five seconds, and trying costs a CPU. */
const BAD_INPUT_BACKOFF_MS = 30_000;
/** One that has run this long has started well. */
const STABLE_MS = 10_000;
/** Deaths in short order after which it counts as failed; it is started again nevertheless. */
const FAILED_AFTER = 3;
/** It compiles, makes its memory, and starts its processes. */
const START_MS = 180_000;
const ANSWERS_MS = 30;
/** From the end of its connections to its own. */
const DYING_MS = 1_000;
/** What is in flight leaves; then less patiently. */
const END_MS = { graceful: 20_000, hurried: 5_000, killed: 5_000, taken_over: 15_000 };

export interface KeeperOptions {
  readonly children: Children;
  readonly artifacts: ArtifactCache;
  readonly folder: DeploymentFolder;
  readonly clock: Clock;
  /** `packets`: what became of them, when it has ended. */
  readonly say: (text: string, packets?: RunResult["packets"]) => void;
}

export class Keeper {
  readonly run: string;
  readonly #options: KeeperOptions;
  readonly #calls = new ControlCalls();
  readonly #changes = new Changes();
  #order: Order;
  #child: Child | undefined;
  #state: "starting" | "running" | "stopping" | "failed" = "starting";
  #error: NfError | undefined;
  #starts: number;
  #hasRun: boolean;
  #failures = 0;
  /** Attempts that have come to nothing. */
  #lost = 0;
  #loop: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  #wake: () => void = () => undefined;

  /** `hasRun`: for all that is known, processes of it may be at work. */
  constructor(order: Order, options: KeeperOptions, hasRun = false) {
    this.#hasRun = hasRun;
    this.#order = order;
    this.#options = options;
    this.run = runNameOf(order.deployment);
    this.#starts = options.folder.readChild()?.starts ?? 0;
  }

  get order(): Order {
    return this.#order;
  }
  get state(): "starting" | "running" | "stopping" | "failed" {
    return this.#state;
  }
  /** Why it does not run, or has not before. */
  get error(): NfError | undefined {
    return this.#error;
  }
  get pid(): number | undefined {
    return this.#child?.id.pid;
  }
  get starts(): number {
    return this.#starts;
  }
  /** Flows depend on it, or may do. */
  get mayRun(): boolean {
    return this.#hasRun && (this.#state === "running" || this.#options.children.hasProcesses(this.run));
  }

  /** On disk when this returns. Throws NfError (host.state). */
  write(order: Order): void {
    this.#options.folder.writeOrder(order);
    this.#order = order;
  }

  start(): void {
    if (this.#loop) return;
    this.#become("starting");
    const stop = new AbortController();
    this.#loop = { stop, done: this.#keep(stop.signal) };
  }

  /** Nothing is started any more; what runs goes on. */
  async halt(): Promise<void> {
    const loop = this.#loop;
    this.#loop = undefined;
    loop?.stop.abort(new NfError("host.not_running", `deployment ${this.#order.deployment} is being changed`));
    await loop?.done;
    this.#changes.changed();
  }

  /** Nobody looks after it any more; what runs goes on. */
  async abandon(): Promise<void> {
    await this.halt();
    this.#child?.abandon();
    this.#child = undefined;
  }

  /** No waiting for the next attempt. */
  wake(): void {
    this.#wake();
  }

  /** Resolves when it runs as it is ordered. Rejects with why it does not, or the signal's reason. */
  async whole(signal: AbortSignal): Promise<void> {
    // Whoever is at rest stays so: a change that follows is its own, and nobody else is to finish it.
    if (this.#isWhole && this.#loop) return;
    const lost = this.#lost;
    this.wake();
    await this.#changes.until(() => this.#isWhole || !this.#loop || (this.#state === "failed" && this.#lost > lost), signal);
    if (!this.#isWhole) throw this.#error ?? this.#notRunning();
  }

  get #isWhole(): boolean {
    return this.#state === "running" && this.#order.next === undefined;
  }

  /** As ControlCalls.call(). NfError host.not_running while there is nobody to be asked. */
  async call(method: Method, params: object, signal: AbortSignal): Promise<unknown> {
    if (this.#state !== "running" || !this.#child) throw this.#notRunning();
    return this.#calls.call(this.#child.socket, method, params as never, signal);
  }

  async connected<T>(use: (client: ControlClient) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#state !== "running" || !this.#child) throw this.#notRunning();
    return this.#calls.connected(this.#child.socket, use, signal);
  }

  async runtimes(signal: AbortSignal): Promise<Result<"runtimes">> {
    return (await this.call("runtimes", {}, signal)) as Result<"runtimes">;
  }

  /** One entry; of a dry run: would it be? Rejects as call(). */
  async swapOne(entry: DeployedEntry, dry_run: boolean, signal: AbortSignal): Promise<Result<"swap">> {
    const { artifacts } = this.#options;
    const artifact = await artifacts.read(entry.nf.digest, signal);
    const config = { file: `configuration of ${entry.name}`, text: JSON.stringify(entry.config ?? null) };
    const params = { entry: entry.name, artifact, folder: artifacts.pathOf(entry.nf.digest), config, grant: entry.grant, dry_run };
    if (!this.#child) throw this.#notRunning();
    return this.#calls.call(this.#child.socket, "swap", params, signal);
  }

  /**
   * The change that the order names as its next, to the end or back; the order is then what runs. Returns why it was refused. Rejects when the child gave no
   * answer: then it is finished later, when it is not known how far it has come.
   */
  async finish(
    signal: AbortSignal,
    { isCutOff = false, swapOne = (entry: DeployedEntry): Promise<unknown> => this.swapOne(entry, false, signal) } = {},
  ): Promise<NfError | undefined> {
    const { next, ...order } = this.#order;
    if (!next) return undefined;
    try {
      const entries = changedEntries(order.spec, next.spec);
      const { runs, refused } = await swapEntries(swapOne, order.spec, next.spec, entries, isCutOff ? entries : []);
      this.write(refused ? { ...order, spec: runs } : { ...order, ...next });
      this.#changes.changed();
      return refused;
    } catch (error) {
      if (isUnanswered(error)) this.wake();
      throw error;
    }
  }

  /** Ends what runs, in order if it can be; resolves when nothing of it is left, with what became of its packets, if that is known. */
  async end(): Promise<RunResult["packets"] | undefined> {
    await this.halt();
    this.#become("stopping");
    const { children, folder } = this.#options;
    let child: Child | undefined;
    try {
      child = this.#child ?? (await this.#find()) ?? (await this.#takeOver());
    } catch (error) {
      this.#options.say(`nothing of it runs here: ${(error as NfError).message}`);
      return undefined;
    }
    let packets: RunResult["packets"] | undefined;
    if (child) {
      child.signal("SIGTERM");
      // The second one ends its processes at once.
      const isOver = (await this.#endsWithin(child, END_MS.graceful)) || (child.signal("SIGTERM"), await this.#endsWithin(child, END_MS.hurried));
      if (!isOver) {
        child.signal("SIGKILL");
        await this.#endsWithin(child, END_MS.killed);
      } else packets = finalPackets(folder);
      child.abandon();
    }
    this.#child = undefined;
    if (children.hasProcesses(this.run)) {
      this.#options.say("processes without a supervisor are ended");
      children.endProcesses(this.run);
    }
    this.#hasRun = false;
    folder.boundLog();
    return packets;
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const { clock, say } = this.#options;
    /** What its processes may run, when that is not known. */
    let may: DeploymentSpec[] = [];
    while (!signal.aborted) {
      let runningMs: number | undefined;
      try {
        may = may.length > 0 ? may : this.#mayBe();
        const child = await this.#childUp(may[0]!, signal);
        may = [];
        runningMs = clock.nowMs();
        await this.#watch(child, signal);
      } catch (error) {
        if (signal.aborted) return;
        const why = error as NfError;
        if (why.code === "host.settings" && may.length > 1) {
          may.shift();
          continue;
        }
        may = [];
        if (runningMs !== undefined && clock.nowMs() - runningMs >= STABLE_MS) this.#failures = 0;
        const waitMs = this.#failed(why);
        say(
          `${runningMs === undefined ? "it does not start" : "it has ended"}: ${why.message}; it is started again${waitMs >= 1000 ? ` in ${waitMs / 1000} s` : ""}`,
        );
        await this.#pause(waitMs, signal);
      }
    }
  }

  /** Resolves when its supervisor answers. Rejects with why there is none. */
  async #childUp(spec: DeploymentSpec, signal: AbortSignal): Promise<Child> {
    const { children, artifacts, folder, clock, say } = this.#options;
    this.#child ??= await (this.#hasRun ? this.#find() : this.#replaceStranger());
    if (signal.aborted) throw signal.reason as Error;
    const isFound = this.#child !== undefined;
    if (!this.#child) {
      await artifacts.require(digestsOf(spec), signal);
      if (this.#order.next) await artifacts.require(digestsOf(this.#order.next.spec), signal);
      folder.writeRunFile(runFileOf(spec, (digest) => artifacts.pathOf(digest)));
      folder.boundLog();
      this.#child = children.start(this.run, folder);
      this.#starts += 1;
      folder.writeChild({ ...this.#child.id, starts: this.#starts });
    }
    const child = this.#child;
    let isUp = false;
    const ended = child.ended.then((why) => {
      isUp = true;
      if (this.#child === child) this.#child = undefined;
      throw why;
    });
    ended.catch(() => undefined);
    const endsMs = clock.nowMs() + START_MS;
    const answers = (async () => {
      while (!isUp && !signal.aborted) {
        if (await this.#answers(child, signal)) return;
        if (clock.nowMs() > endsMs) {
          child.signal("SIGKILL");
          throw new NfError("host.not_running", `its supervisor does not answer for ${START_MS / 1000} s, and is ended`);
        }
        await pause(clock, signal, ANSWERS_MS);
      }
    })();
    await unlessAborted(Promise.race([answers, ended]), signal);
    say(`it ${isFound ? "goes on" : "runs"} (pid ${child.id.pid})`);
    return child;
  }

  async #answers(child: Child, signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.#calls.call(child.socket, "info", {}, signal)).pid === child.id.pid;
    } catch {
      return false;
    }
  }

  /** Until it ends, which is a rejection. */
  async #watch(child: Child, signal: AbortSignal): Promise<never> {
    const ended = child.ended.then((why) => {
      if (this.#child === child) this.#child = undefined;
      throw why;
    });
    ended.catch(() => undefined);
    for (;;) {
      if (this.#order.next) {
        const refused = await unlessAborted(this.finish(signal, { isCutOff: true }), signal).catch(async (error: unknown) => {
          // That it has died says more than that it does not answer.
          if (isUnanswered(error)) await unlessAborted(Promise.race([ended, pause(this.#options.clock, signal, DYING_MS)]), signal);
          throw error;
        });
        this.#options.say(refused ? `a change that was cut off is refused: ${refused.message}` : "a change that was cut off is finished");
      }
      this.#become("running");
      const woken = new Promise<void>((done) => (this.#wake = done));
      await unlessAborted(Promise.race([ended, woken]), signal);
    }
  }

  /** The first is the likeliest. */
  #mayBe(): DeploymentSpec[] {
    const { spec, next } = this.#order;
    if (!next) return [spec];
    return this.#options.children.hasProcesses(this.run) ? between(spec, next.spec) : [next.spec];
  }

  /** How long to wait. */
  #failed(why: NfError): number {
    this.#error = why;
    this.#failures += 1;
    this.#lost += 1;
    const isBadInput = exitCodeOf(why.code) === EXIT.badInput;
    this.#become(isBadInput || this.#failures >= FAILED_AFTER ? "failed" : "starting");
    if (this.#failures <= 1) return 0;
    return Math.min(BACKOFF_MS.first * 2 ** Math.min(this.#failures - 2, 20), isBadInput ? BAD_INPUT_BACKOFF_MS : BACKOFF_MS.most);
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new Promise<void>((done) => (this.#wake = done));
    await Promise.race([pause(this.#options.clock, signal, ms), woken]).catch(() => undefined);
  }

  /** Rejects with NfError (host.settings) when what runs under its name is somebody else's. */
  async #find(): Promise<Child | undefined> {
    return this.#options.children.find(this.run, this.#options.folder).catch((error: unknown) => {
      if (error instanceof NfError && error.code === "host.settings") throw error;
      return undefined;
    });
  }

  /**
   * One that runs without an order of ours, since the state folder was lost or somebody else has started it: nobody knows with which settings. Whoever takes
   * its processes over compares them with those that are wanted; packets go on meanwhile.
   */
  async #replaceStranger(): Promise<undefined> {
    const stranger = await this.#find();
    if (!stranger) return;
    this.#options.say(
      `its supervisor (pid ${stranger.id.pid}) runs already, on nobody knows whose order: another one takes its processes over, if they are as wanted`,
    );
    stranger.signal("SIGKILL");
    await this.#endsWithin(stranger, END_MS.killed);
    stranger.abandon();
  }

  /** Processes that a supervisor has left end in order under another one. */
  async #takeOver(): Promise<Child | undefined> {
    if (!this.#options.children.hasProcesses(this.run)) return undefined;
    const over = AbortSignal.timeout(END_MS.taken_over);
    for (const spec of this.#mayBe()) {
      const child = await this.#childUp(spec, over).catch(() => undefined);
      if (child) return child;
    }
    return this.#child;
  }

  async #endsWithin(child: Child, ms: number): Promise<boolean> {
    const over = new AbortController();
    const cancel = this.#options.clock.after(ms, () => over.abort());
    try {
      await unlessAborted(child.ended, over.signal);
      return true;
    } catch {
      return false;
    } finally {
      cancel();
    }
  }

  #become(state: Keeper["state"]): void {
    this.#state = state;
    if (state === "running") {
      this.#error = undefined;
      this.#hasRun = true;
    }
    this.#changes.changed();
  }

  #notRunning(): NfError {
    const { deployment } = this.#order;
    const is = { starting: "is being started", running: "is being started", stopping: "is being ended", failed: "does not run" }[this.#state];
    return new NfError("host.not_running", `deployment ${deployment} ${is}${this.#error ? `: ${this.#error.message}` : ""}`, {
      fix: this.#error?.fix ?? "Try again when it runs.",
    });
  }
}
