/**
 * Starts a tenant's processes or takes over those that run, and does what Membership says: the thin part with processes, sockets, clocks and the disk in it.
 *
 * The order is always the same: an event goes into Membership, its state goes to disk, then its effects are carried out. Main thread of Node; nothing here
 * is in the way of a packet.
 */
import { NfError } from "@nfactor/sdk/errors";
import { nativeError } from "../dataplane/native_error.ts";
import type { CountersSnapshot, NativeEvent, NfSpec, RunReport } from "../dataplane/native_types.ts";
import { safeText } from "../result/text.ts";
import { Books } from "./books.ts";
import { readCounterFile } from "./counter_file.ts";
import { MemberTimeout } from "./member_client.ts";
import type { Answer, Asked, MemberEvent } from "./member_messages.ts";
import { MemberProcess, findMembers, whoIs } from "./member_process.ts";
import { Membership } from "./membership.ts";
import { type Command, type Effect, type Found, type Life, type MembershipEvent, TERM_MAX, VSWITCH } from "./membership_events.ts";
import { type Account, NOTHING, Present } from "./present.ts";
import { kill } from "./process_id.ts";
import { type RunFolder, lifeName } from "./run_folder.ts";
import { type TenantState, newSecrets, newState, packState, readState } from "./state_file.ts";
import { type TenantSpec, describe, linkFields, memberSpec, nfWithFiles, requireSame } from "./tenant_spec.ts";
import { within } from "./within.ts";

/** A process works this soon after its start: it makes its memory, its ports and its NFs. */
const START_MS = 60_000;
const TELL_MS = 10_000;
/** A vswitch waits 2 s at most for what is under way. */
const STOP_MS = 10_000;
/** From the answer to `stop` to the end of the process. */
const EXIT_MS = 5_000;
const POLL_MS = 300;
/** Why the vswitch has fenced a runtime, by its word for it. */
const LOST: Readonly<Record<string, string>> = { silence: "it is silent", report: "it does not tell the new vswitch of its flows" };
const DISK_AGAIN_MS = 500;
/** To be whole again after a supervisor has taken over. */
const ADOPT_MS = 10_000;

export interface SupervisorOptions {
  folder: RunFolder;
  spec: TenantSpec;
  runtimes: number;
  onEvent(event: NativeEvent, member: number): void;
  /** Tells the person at the host's terminal. */
  say(text: string): void;
}

export class Supervisor {
  readonly folder: RunFolder;
  readonly #options: SupervisorOptions;
  readonly #state: TenantState;
  readonly #books: Books;
  readonly #present = new Map<string, Present>();
  #membership: Membership;
  #generation = 0;
  /** Of each member, the last life that has ended. */
  readonly #last = new Map<number, Account>();
  #written = "";
  /** What waits for the disk. */
  readonly #due: Effect[] = [];
  #isDiskBroken = false;
  #retry: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  #isFirstStart = true;
  #isStopping = false;
  #broken: unknown;
  #error: { code: string; message: string } | undefined;
  /** Why a runtime that was added did not start. */
  readonly #startErrors = new Map<number, NfError>();
  #changed: (() => void)[] = [];

  private constructor(options: SupervisorOptions, state: TenantState, membership: Membership) {
    this.folder = options.folder;
    this.#options = options;
    this.#state = state;
    this.#membership = membership;
    this.#books = new Books(
      options.spec.runtime.chain.map(({ entry }) => entry),
      state.books,
    );
  }

  /**
   * Resolves when all work and know each other. Rejects with NfError when what is to run cannot be run, or is not what runs already; what was started here
   * has been ended then.
   */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const kept = readState(options.folder);
    const running = findMembers(options.folder.path);
    if (kept && running.length > 0) return Supervisor.#adopt(options, kept, running);
    for (const { id } of running) kill(id, "SIGKILL");
    options.folder.clear();
    const membership = Membership.create(Array.from({ length: options.runtimes }, (_, i) => i + 1));
    const made = new Supervisor(options, newState(newSecrets(), describe(options.spec), membership.durable()), membership);
    try {
      made.#dispatch({ type: "time" });
      await made.until(() => made.isWhole);
    } catch (error) {
      await made.end();
      throw error;
    }
    made.#isFirstStart = false;
    made.#look();
    return made;
  }

  static async #adopt(options: SupervisorOptions, state: TenantState, running: ReturnType<typeof findMembers>): Promise<Supervisor> {
    const { folder, spec } = options;
    requireSame(folder.name, state.runs, describe(spec));
    const made = new Supervisor(options, state, Membership.create([]));
    made.#isFirstStart = false;
    const wanted = (life: Life): boolean =>
      state.membership.members.some(({ member, incarnation, isAlive }) => isAlive && member === life.member && incarnation === life.incarnation);
    const found: Found[] = [];
    await Promise.all(
      running.map(async ({ life, id }) => {
        const one = wanted(life) ? await made.#adoptOne(life, id).catch((error: unknown) => String(error)) : "nobody knows it";
        if (typeof one === "string") kill(id, "SIGKILL");
        else found.push(one);
        options.say(`${whoIs(life, id.pid)} ${typeof one === "string" ? `is ended: ${one}` : "is taken over"}`);
      }),
    );
    const { membership, effects } = Membership.restore(state.membership, found, made.#nowMs());
    made.#membership = membership;
    made.#carryOut(effects);
    const { length } = made.runtimes;
    if (length !== options.runtimes)
      options.say(`host '${folder.name}' has ${length} runtimes, not ${options.runtimes}: 'nfactor runtimes add' and 'remove' change that`);
    // What does not come back at once is tried again, and is no reason to leave the others alone.
    await within(
      ADOPT_MS,
      made.until(() => made.isWhole),
      "",
    ).catch(() => undefined);
    made.#look();
    return made;
  }

  async #adoptOne(life: Life, id: { pid: number; start: string }): Promise<Found> {
    const present = this.#newPresent(life);
    let ready = (): void => undefined;
    const isReady = new Promise<void>((done) => (ready = done));
    const onEvent = (event: MemberEvent): void => (event.event === "ready" ? ready() : this.#onEvent(life, event));
    const options = { folder: this.folder, life, onEvent, onExit: (how: string) => this.#onExit(life, how) };
    try {
      present.process = await MemberProcess.adopt(options, id);
      await within(START_MS, isReady, `${present.process.who} does not work`);
      present.isReady = true;
      const { members } = await present.process.client.ask("status", {}, TELL_MS);
      return { life, knows: members };
    } catch (error) {
      present.process?.abandon();
      this.#present.delete(lifeName(life));
      throw error;
    }
  }

  get isWhole(): boolean {
    return this.#membership.isWhole;
  }
  get hasStopped(): boolean {
    return this.#membership.hasStopped;
  }
  /** What a process ended with, when it was told to. */
  get error(): { code: string; message: string } | undefined {
    return this.#error;
  }
  get runtimes(): number[] {
    return this.#membership.runtimes.sort((a, b) => a - b);
  }
  get chain(): readonly NfSpec[] {
    return this.#options.spec.runtime.chain;
  }

  /** Of a member that is wanted; `incarnation` undefined while it has no process. */
  of(member: number): ({ pid: number | undefined } & NonNullable<ReturnType<Membership["of"]>>) | undefined {
    const one = this.#membership.of(member);
    return one && { ...one, pid: this.#presentOf(member)?.process?.id.pid };
  }

  /** The member's present process; after the end, its last one. */
  account(member: number): Account {
    const incarnation = this.#membership.of(member)?.incarnation;
    const present = this.#presentOf(member);
    if (this.hasStopped) return this.#last.get(member) ?? NOTHING;
    if (incarnation === undefined || !present) return NOTHING;
    return { file: readCounterFile(this.folder.countersOf({ member, incarnation })), said: present.said, status: present.status };
  }

  /** All lives together. */
  counters(): CountersSnapshot {
    // Runtimes first: what comes in meanwhile is then missing rather than there twice.
    const living = this.hasStopped ? [] : [...this.runtimes, VSWITCH].map((member) => this.account(member));
    return this.#books.snapshot(living, this.hasStopped);
  }

  /** Rejects with NfError runtime.busy while the member has no process that works, and what the member says. */
  async ask<A extends Asked>(member: number, asked: A, fields: object = {}, deadlineMs?: number): Promise<Answer<A>> {
    const { process, isReady } = this.#presentOf(member) ?? {};
    if (!process || !isReady) throw nativeError("runtime.busy", `${member === VSWITCH ? "the vswitch" : `runtime ${member}`} is being started again`);
    return process.client.ask(asked, fields, deadlineMs);
  }

  /** Counters and states of all are asked for. */
  async refresh(): Promise<void> {
    await Promise.all([...this.#present.values()].map((present) => present.refresh()));
  }

  /** Resolves when it works and has flows; it is taken back when it fails to start. */
  async add(member: number): Promise<void> {
    this.#startErrors.delete(member);
    this.#dispatch({ type: "add", member });
    await this.until(() => this.#membership.of(member)?.isUp !== false || this.#startErrors.has(member));
    const error = this.#startErrors.get(member);
    if (!error) return;
    await this.remove(member);
    throw error;
  }

  /** Resolves when nobody knows it any more, and its process has ended. */
  async remove(member: number): Promise<void> {
    this.#dispatch({ type: "remove", member });
    await this.until(() => this.#membership.of(member) === undefined);
  }

  /** New flows are placed there, or not: from now on, and in all of its lives. */
  setDraining(member: number, on: boolean): void {
    this.#dispatch({ type: "draining", member, on });
  }

  /** One entry of the chain, in all runtimes; those that start meanwhile, and later, have it too. */
  setNf(index: number, nf: NfSpec): void {
    this.#generation += 1;
    const { spec } = this.#options;
    spec.runtime = { ...spec.runtime, chain: spec.runtime.chain.map((old, i) => (i === index ? nf : old)) };
    this.#state.runs = describe(spec);
    this.#save();
  }

  /** Members that run the chain as it was before the last `setNf`, and are to be swapped. */
  outdated(): number[] {
    return this.runtimes.filter((member) => (this.#presentOf(member)?.generation ?? this.#generation) < this.#generation);
  }
  isUpToDate(member: number): void {
    const present = this.#presentOf(member);
    if (present) present.generation = this.#generation;
  }

  nfFiles(nf: NfSpec): object {
    return nfWithFiles(nf, this.folder);
  }

  /** `drain`: what is in flight leaves first. Resolves when no process lives. */
  async stop(drain: boolean): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#poll);
    this.#dispatch({ type: "stop", drain });
    await this.until(() => this.hasStopped);
  }

  /** All processes go on, and the next supervisor takes them over. Returns how messages name them. */
  leave(): string[] {
    this.#quiet();
    const left = [...this.#present.values()].flatMap(({ process }) => (process ? [process] : []));
    for (const process of left) process.abandon();
    this.#present.clear();
    this.folder.release();
    return left.map(({ who }) => who);
  }

  /** No process survives, and nothing is left. */
  async end(): Promise<void> {
    if (!this.hasStopped) await this.stop(false).catch(() => undefined);
    this.#quiet();
    for (const { process } of this.#present.values()) {
      process?.kill();
      process?.abandon();
    }
    for (const { id } of findMembers(this.folder.path)) kill(id, "SIGKILL");
    this.folder.remove();
  }

  /** Nothing is begun any more. */
  #quiet(): void {
    this.#isStopping = true;
    clearInterval(this.#poll);
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
  }

  /** Resolves when `condition` holds after some event. Rejects when a first start fails. */
  async until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken;
      if (condition()) return;
      await new Promise<void>((done) => this.#changed.push(done));
    }
  }

  #nowMs(): number {
    return performance.now();
  }

  #presentOf(member: number): Present | undefined {
    const incarnation = this.#membership.of(member)?.incarnation;
    return incarnation === undefined ? undefined : this.#present.get(lifeName({ member, incarnation }));
  }

  #dispatch(event: MembershipEvent): void {
    try {
      this.#carryOut(this.#membership.handle(event, this.#nowMs()));
    } catch (error) {
      this.#broken ??= error;
    }
    if (this.#membership.isExhausted && !this.#isStopping)
      this.#broken ??= new NfError("runtime.limit", `the vswitch was started ${TERM_MAX} times, which is as often as it may be`);
    const changed = this.#changed;
    this.#changed = [];
    for (const done of changed) done();
  }

  /** Without its state on disk nothing is done: an incarnation that comes twice would be the end of the links' secrecy. */
  #carryOut(effects: readonly Effect[]): void {
    this.#due.push(...effects);
    try {
      this.#save();
      this.#isDiskBroken = false;
    } catch (error) {
      if (!this.#isDiskBroken)
        this.#options.say(`the state of the processes cannot be written, so none is started or told anything: ${(error as Error).message}`);
      this.#isDiskBroken = true;
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#dispatch({ type: "time" }), DISK_AGAIN_MS);
      return;
    }
    for (const effect of this.#due.splice(0)) {
      switch (effect.type) {
        case "spawn":
          void this.#spawn(effect);
          break;
        case "tell":
          void this.#tell(effect.to, effect.command);
          break;
        case "kill":
          this.#present.get(lifeName(effect.life))?.kill();
          break;
        case "collect":
          this.#collect(effect.life);
          break;
        case "wake":
          clearTimeout(this.#timer);
          this.#timer = setTimeout(() => this.#dispatch({ type: "time" }), Math.max(0, effect.atMs - this.#nowMs()) + 1);
          break;
      }
    }
  }

  #save(): void {
    this.#state.membership = this.#membership.durable();
    this.#state.books = this.#books.kept;
    const text = packState(this.#state);
    if (text === this.#written) return;
    this.folder.writeState(text);
    this.#written = text;
  }

  #newPresent(life: Life): Present {
    const present = new Present(life, this.#generation);
    this.#present.set(lifeName(life), present);
    return present;
  }

  async #spawn(effect: Effect & { type: "spawn" }): Promise<void> {
    const { life } = effect;
    const present = this.#newPresent(life);
    try {
      this.folder.writeSpec(life, memberSpec(this.#options.spec, this.#state, this.folder, effect));
      const onEvent = (event: MemberEvent): void => this.#onEvent(life, event);
      present.process = await MemberProcess.spawn({ folder: this.folder, life, onEvent, onExit: (how) => this.#onExit(life, how) });
      present.startBy = setTimeout(() => this.#dispatch({ type: "hung", ...life }), START_MS);
      if (present.isEnding) present.process.kill();
    } catch (error) {
      if (error instanceof NfError) present.error = { code: error.code, message: error.message };
      else this.#broken ??= error;
      this.#onExit(life, "");
    }
  }

  async #tell(to: Life, command: Command): Promise<void> {
    const process = this.#present.get(lifeName(to))?.process;
    if (!process) return;
    const { do: asked, ...fields } = command;
    if (command.do === "stop") this.#present.get(lifeName(to))!.isEnding = true;
    try {
      const answer = await process.client.ask(
        asked,
        { ...fields, ...linkFields(this.folder, to, command, this.#membership.term) },
        command.do === "stop" ? STOP_MS : TELL_MS,
      );
      if (command.do === "stop") this.#stopped(to, (answer as { report: RunReport }).report);
      this.#dispatch({ type: "told", to, command, isOk: true });
    } catch (error) {
      if (error instanceof MemberTimeout) {
        this.#options.say(`${error.message}; it is ended`);
        this.#dispatch({ type: "hung", ...to });
      } else if (process.client.isOpen) {
        this.#options.say(`${process.who} refuses '${asked}': ${error instanceof Error ? error.message : String(error)}`);
        this.#dispatch({ type: "told", to, command, isOk: false });
      }
      // Otherwise it is ending, which is an event of its own.
    }
  }

  #stopped(life: Life, report: RunReport): void {
    const present = this.#present.get(lifeName(life));
    if (!present) return;
    present.said = report.counters;
    if (report.error) this.#error ??= report.error;
    setTimeout(() => present.process?.kill(), EXIT_MS).unref();
  }

  #onEvent(life: Life, event: MemberEvent): void {
    const present = this.#present.get(lifeName(life));
    if (!present) return;
    switch (event.event) {
      case "ready":
        clearTimeout(present.startBy);
        present.isReady = true;
        this.#dispatch({ type: "ready", ...life });
        return;
      case "link":
        if (life.member === VSWITCH)
          this.#dispatch({ type: "link", vswitch: life.incarnation, member: event.member, incarnation: event.incarnation, isUp: event.up });
        return;
      case "member_lost":
        this.#options.say(`runtime ${event.member} is turned away from: ${LOST[event.why] ?? "its link is gone"}`);
        this.#dispatch({ type: "lost", vswitch: life.incarnation, member: event.member, incarnation: event.incarnation });
        return;
      case "nf":
        this.#options.onEvent(event.of, life.member);
        return;
      case "ended":
        if (event.error) present.error = event.error;
        return;
    }
  }

  #onExit(life: Life, how: string): void {
    const present = this.#present.get(lifeName(life));
    if (!present) return;
    clearTimeout(present.startBy);
    const hasFailedToStart = !present.isReady && !present.isEnding && !this.#isStopping;
    if (hasFailedToStart && this.#isFirstStart) this.#broken ??= present.startError(this.folder, how);
    else if (hasFailedToStart) this.#startErrors.set(life.member, present.startError(this.folder, how));
    if (!this.#isStopping && !this.#isFirstStart && this.#membership.runtimes.concat(VSWITCH).includes(life.member)) {
      const why = present.error?.message ?? (how === "" ? "it is gone" : how);
      this.#options.say(`${whoIs(life, present.process?.id.pid ?? 0)} has died: ${safeText(why)}; it is started again`);
    }
    this.#dispatch({ type: "exited", ...life });
  }

  #collect(life: Life): void {
    const { said, status } = this.#present.get(lifeName(life)) ?? NOTHING;
    const file = readCounterFile(this.folder.countersOf(life));
    this.#books.close({ file, said });
    this.#last.set(life.member, { file, said, status });
    this.#present.delete(lifeName(life));
    // Books and membership go to disk as one.
    this.#dispatch({ type: "collected", life });
    this.folder.forget(life);
  }

  /** Asks and looks from time to time. */
  #look(): void {
    void this.refresh();
    this.#poll = setInterval(() => {
      void this.refresh();
      for (const member of [VSWITCH, ...this.runtimes]) this.#lookAt(member);
    }, POLL_MS);
  }

  #lookAt(member: number): void {
    const present = this.#presentOf(member);
    if (!present?.isReady || !present.isStuck(this.account(member).file?.turns)) return;
    this.#options.say(`${present.process!.who} does nothing any more; it is ended`);
    this.#dispatch({ type: "hung", ...present.life });
  }
}
