/**
 * Starts a tenant's processes or takes over those that run, and does what Membership says: the thin part with processes, sockets, clocks and the disk in it.
 *
 * The order is always the same: an event goes into Membership, its state goes to disk, then its effects are carried out. No packet waits for this thread.
 */
import { NfError } from "@nfactor/sdk/errors";
import { nativeError } from "../dataplane/native_error.ts";
import type { CountersSnapshot, NfSpec, RunReport } from "../dataplane/native_types.ts";
import { safeText } from "../result/text.ts";
import { Accounts, accountOf } from "./accounts.ts";
import { adoptAll, meet } from "./adopt.ts";
import { Agents } from "./agents.ts";
import { Changes } from "./changes.ts";
import { ADOPT_MS, EXIT_MS, START_MS, STOP_MS, TELL_MS } from "./deadlines.ts";
import { Looks } from "./looks.ts";
import { MemberTimeout } from "./member_client.ts";
import { type MemberHandle, type MemberHandleOptions, whoIs } from "./member_handle.ts";
import type { Answer, Asked, MemberEvent } from "./member_messages.ts";
import { endProcesses, killMembers } from "./leftovers.ts";
import { findMembers } from "./member_process.ts";
import { Membership } from "./membership.ts";
import { type Command, type Effect, type Found, type Life, type MembershipEvent, TERM_MAX, VSWITCH } from "./membership_events.ts";
import { type Account, Present, type Whereabouts, whyLost } from "./present.ts";
import { type RunFolder, lifeName } from "./run_folder.ts";
import { Starter } from "./starter.ts";
import { type TenantState, newSecrets, newState, readState } from "./state_file.ts";
import { StateWriter } from "./state_writer.ts";
import type { SupervisorOptions } from "./supervisor_options.ts";
import { describe, requireSame, staleIn } from "./tenant_spec.ts";
import { WantedChain } from "./wanted_chain.ts";
import { within } from "./within.ts";

export class Supervisor {
  readonly folder: RunFolder;
  readonly agents: Agents;
  readonly wanted: WantedChain;
  readonly #options: SupervisorOptions;
  readonly #state: TenantState;
  readonly #accounts: Accounts;
  readonly #starter: Starter;
  readonly #present = new Map<string, Present>();
  #membership: Membership;
  readonly #writer: StateWriter;
  /** What waits for the disk. */
  readonly #due: Effect[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #looks: Looks;
  #isFirstStart = true;
  #isStopping = false;
  #isOver = false;
  #error: { code: string; message: string } | undefined;
  /** Why a runtime that was added did not start. */
  readonly #startErrors = new Map<number, NfError>();
  readonly #changes = new Changes();

  private constructor(options: SupervisorOptions, state: TenantState, membership: Membership) {
    this.folder = options.folder;
    this.#options = options;
    this.#state = state;
    this.#membership = membership;
    const isStaying = (member: number): boolean => this.runtimes.includes(member);
    const save = (): void => this.#writer.write(this.#upToDate());
    this.agents = new Agents(options, state, isStaying, save);
    this.wanted = new WantedChain(options.spec, state, save);
    this.#starter = new Starter(options.folder, this.agents, state, options.standby);
    this.#writer = new StateWriter(options.folder, options.say, () => this.#dispatch({ type: "time" }));
    this.#looks = new Looks({
      membership: () => this.#membership,
      presentOf: (member) => this.#presentOf(member),
      turnsOf: (member) => this.account(member).file?.turns,
      say: options.say,
      onHung: (life) => this.#dispatch({ type: "hung", ...life }),
    });
    const entries = options.spec.runtime.chain.map(({ entry }) => entry);
    this.#accounts = new Accounts(entries, state.books, options.folder);
    options.onMade?.(this);
  }

  /**
   * Resolves when all work and know each other. Rejects with NfError when what is to run cannot be run, or is not what runs already; what was started here
   * has been ended then.
   */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    if (!options.standby) {
      const kept = readState(options.folder);
      const running = findMembers(options.folder.path);
      if (kept && running.length > 0) return Supervisor.#adopt(options, kept, running);
      killMembers(options.folder.path);
      options.folder.clear();
    }
    const membership = Membership.create(Array.from({ length: options.runtimes }, (_, i) => i + 1));
    const made = new Supervisor(options, newState(newSecrets(), describe(options.spec), membership.durable()), membership);
    try {
      await made.agents.connect(options.spec.runtime.input);
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
    const left = { folder, agents: made.agents, members: state.membership.members, running, say: options.say };
    const found = await adoptAll(left, (life, make, isThere) => made.#adoptOne(life, make, isThere));
    const { membership, effects } = Membership.restore(state.membership, found, made.#nowMs());
    made.#membership = membership;
    made.agents.keepOnly(membership.numbers);
    made.#carryOut(effects);
    const { length } = made.runtimes;
    if (length !== options.runtimes)
      options.say(`host '${folder.name}' has ${length} runtimes, not ${options.runtimes}: 'nfactor runtimes add' and 'remove' change that`);
    // What does not come back at once is tried again, and is no reason to leave the others alone.
    const isWhole = made.until(() => made.isWhole);
    await within(ADOPT_MS, isWhole, "").catch(() => undefined);
    made.#look();
    return made;
  }

  /** `isThere` false: it cannot be asked now, and will be when it can be. */
  async #adoptOne(life: Life, make: (options: MemberHandleOptions) => Promise<MemberHandle>, isThere: boolean): Promise<Found> {
    const present = this.#newPresent(life);
    const onEvent = (event: MemberEvent): void => this.#onEvent(life, event);
    const options = { folder: this.folder, life, onEvent, onExit: (how: string) => this.#onExit(life, how) };
    try {
      return await meet(present, options, make, isThere, this.chain);
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
  /** Numbers that another runtime cannot have: also of those that are removed, and have not ended. */
  get numbers(): number[] {
    return this.#membership.numbers;
  }
  get chain(): readonly NfSpec[] {
    return this.wanted.entries;
  }

  /** Of a member that is wanted; `incarnation` undefined while it has no process. */
  of(member: number): (Whereabouts & NonNullable<ReturnType<Membership["of"]>>) | undefined {
    const one = this.#membership.of(member);
    const { process, stale = [] } = this.#presentOf(member) ?? {};
    return one && { ...one, ...this.agents.whereIs(member), pid: process?.id.pid, stale, homes: this.#membership.homesOf(member) };
  }

  /** The member's present process; after the end, its last one. */
  account(member: number): Account {
    return this.hasStopped ? this.#accounts.lastOf(member) : this.#accounts.of(this.#presentOf(member));
  }

  /** All lives together. */
  counters(): CountersSnapshot {
    const of = (member: number): Account => accountOf(this.account(member), this.#membership.isGivenUp(member));
    const living = this.hasStopped ? [] : [...this.numbers, VSWITCH].map(of);
    return this.#accounts.snapshot(living, this.hasStopped);
  }

  /** Rejects with NfError runtime.busy while the member has no process that works, and what the member says. */
  async ask<A extends Asked>(member: number, asked: A, fields: object = {}, deadlineMs?: number): Promise<Answer<A>> {
    const { process, isReady } = this.#presentOf(member) ?? {};
    if (!process || !isReady) throw nativeError("runtime.busy", `${member === VSWITCH ? "the vswitch" : `runtime ${member}`} is being started again`);
    if (!process.client?.isOpen) throw nativeError("runtime.busy", `${process.who} cannot be reached just now`);
    return process.client.ask(asked, fields, deadlineMs);
  }

  /** Counters and states of all are asked for. */
  async refresh(): Promise<void> {
    await Promise.all([...this.#present.values()].map((present) => present.refresh()));
  }

  /** At a peer or agent, or here. Resolves when it works and has flows; it is taken back when it fails to start. */
  async add(member: number, at?: string): Promise<void> {
    this.#startErrors.delete(member);
    if (at !== undefined) await this.agents.reach(at, this.#options.spec.runtime.input);
    this.agents.place(member, at);
    this.#dispatch({ type: "add", member });
    await this.until(() => this.of(member)?.isUp !== false || this.#startErrors.has(member) || this.of(member)?.isReachable === false);
    if (this.#membership.of(member)?.isUp !== false) return;
    const error = this.#startErrors.get(member) ?? nativeError("host.socket", `'${at}' cannot be reached any more; the runtime there was given up`);
    await this.remove(member);
    throw error;
  }

  /** Resolves when nobody knows it, and its process has ended. One that cannot be reached is turned away from: it ends as soon as its agent can be told. */
  async remove(member: number): Promise<void> {
    this.#dispatch({ type: "remove", member });
    const { incarnation, isReachable } = this.of(member) ?? {};
    if (incarnation !== undefined && !isReachable) this.#dispatch({ type: "hung", member, incarnation });
    await this.until(() => this.#membership.of(member) === undefined || this.#membership.isGivenUp(member));
    this.agents.keepOnly(this.numbers);
  }

  /** Where replicas of its flows are to be, from now on and in all of its lives. Resolves when it knows; one that cannot be told now is told later. */
  async setHomes(member: number, homes: readonly number[]): Promise<void> {
    this.#dispatch({ type: "homes", member, members: homes });
    const isTold = this.until(() => !this.#membership.lacksHomes(member) || this.of(member)?.isReachable !== true);
    await within(TELL_MS, isTold, "").catch(() => undefined);
  }

  /** It is killed, as if it hung, and started again. Resolves when the vswitch has turned away from it. */
  declareDead(life: Life): Promise<void> {
    this.#dispatch({ type: "hung", ...life });
    return this.until(() => !this.#membership.isKnownToVswitch(life));
  }

  /** New flows are placed there, or not: from now on, and in all of its lives. */
  setDraining(member: number, on: boolean): void {
    this.#dispatch({ type: "draining", member, on });
  }

  /** Members that do not run the chain as it is wanted now, and are to be swapped; `stale`: places where one still does not. */
  outdated(): number[] {
    return this.runtimes.filter((member) => {
      const present = this.#presentOf(member);
      return present !== undefined && this.wanted.isOutdated(present);
    });
  }
  isUpToDate(member: number, stale: readonly number[] = []): void {
    const present = this.#presentOf(member);
    if (present) Object.assign(present, { generation: this.wanted.generation, stale });
  }

  nfFiles(member: number, nf: NfSpec): Promise<object> {
    return this.#starter.nfFiles(member, nf);
  }

  /** `drain`: what is in flight leaves first. Resolves when no process lives. */
  async stop(drain: boolean): Promise<void> {
    this.#isStopping = true;
    this.#looks.end();
    this.#dispatch({ type: "stop", drain });
    const giveUp = setInterval(() => this.giveUp(), STOP_MS);
    await this.until(() => this.hasStopped).finally(() => clearInterval(giveUp));
  }

  /** Whoever cannot be reached, all or this member, counts as ended, and is in the books with what was heard of it last. */
  giveUp(member?: number): void {
    const goesOn = `cannot be reached, so it may go on: end it there, or start host '${this.folder.name}' again`;
    for (const { life, process } of [...this.#present.values()]) {
      if (!process || process.isReachable || life.member !== (member ?? life.member)) continue;
      this.#options.say(`${process.who} ${member === undefined ? goesOn : "counts as ended: its machine will not come back"}`);
      process.abandon();
      this.#onExit(life, "");
    }
  }

  /** All processes go on, and the next supervisor takes them over. Returns how messages name them. */
  leave(): string[] {
    this.#quiet();
    const left = [...this.#present.values()].flatMap(({ process }) => (process ? [process] : []));
    for (const process of left) process.abandon();
    this.#present.clear();
    this.agents.close();
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
    this.agents.close();
    endProcesses(this.folder);
  }

  /** For whoever is in a hurry: no process survives, here or at agents that answer, nothing is left, and nobody learns what was counted. */
  async endAtOnce(): Promise<void> {
    this.#isOver = true;
    this.#quiet();
    const killed = this.agents.killAll();
    endProcesses(this.folder);
    await killed;
  }

  /** Nothing is begun any more. */
  #quiet(): void {
    this.#isStopping = true;
    this.#looks.end();
    clearTimeout(this.#timer);
    this.#writer.close();
    this.#starter.close();
  }

  /** Resolves when `condition` holds after some event. Rejects when a first start fails. */
  until(condition: () => boolean): Promise<void> {
    return this.#changes.until(condition);
  }

  readonly #nowMs = (): number => performance.now();
  #presentOf(member: number): Present | undefined {
    const incarnation = this.#membership.of(member)?.incarnation;
    return incarnation === undefined ? undefined : this.#present.get(lifeName({ member, incarnation }));
  }

  #dispatch(event: MembershipEvent): void {
    try {
      this.#carryOut(this.#membership.handle(event, this.#nowMs()));
    } catch (error) {
      this.#changes.fail(error);
    }
    if (this.#membership.isExhausted && !this.#isStopping)
      this.#changes.fail(new NfError("runtime.limit", `the vswitch was started ${TERM_MAX} times, which is as often as it may be`));
    this.#changes.happened();
  }

  /** Without its state on disk nothing is done: an incarnation that comes twice would be the end of the links' secrecy. */
  #carryOut(effects: readonly Effect[]): void {
    if (this.#isOver) return;
    this.#due.push(...effects);
    if (!this.#writer.tryToWrite(this.#upToDate())) return;
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
        case "forget":
          this.folder.forget(effect.life);
          void this.agents.of(effect.life.member)?.forget(effect.life);
          this.agents.keepOnly(this.numbers);
          break;
        case "wake":
          clearTimeout(this.#timer);
          this.#timer = setTimeout(() => this.#dispatch({ type: "time" }), Math.max(0, effect.atMs - this.#nowMs()) + 1);
          break;
      }
    }
  }

  #upToDate(): TenantState {
    return Object.assign(this.#state, { membership: this.#membership.durable(), books: this.#accounts.kept });
  }

  #newPresent(life: Life): Present {
    const present = new Present(life, this.wanted.generation);
    this.#present.set(lifeName(life), present);
    return present;
  }

  async #spawn(effect: Effect & { type: "spawn" }): Promise<void> {
    const { life } = effect;
    const present = this.#newPresent(life);
    try {
      const onEvent = (event: MemberEvent): void => this.#onEvent(life, event);
      const options = { folder: this.folder, life, onEvent, onExit: (how: string) => this.#onExit(life, how) };
      present.process = await this.#starter.spawn(this.#options.spec, effect, present, options);
      if (!present.process) {
        this.#onExit(life, "");
        return;
      }
      present.startBy = setTimeout(() => this.#dispatch({ type: "hung", ...life }), START_MS);
      if (present.isEnding) present.process.kill();
    } catch (error) {
      if (error instanceof NfError) present.error = { code: error.code, message: error.message };
      else this.#changes.fail(error);
      this.#onExit(life, "");
    }
  }

  async #tell(to: Life, command: Command): Promise<void> {
    const process = this.#present.get(lifeName(to))?.process;
    const client = process?.client;
    if (!process || !client) return;
    const { do: asked, ...fields } = command;
    if (command.do === "stop") this.#present.get(lifeName(to))!.isEnding = true;
    try {
      const more = this.#starter.linkFields(to, command, this.#membership.term);
      const answer = await client.ask(asked, { ...fields, ...more }, command.do === "stop" ? STOP_MS : TELL_MS);
      if (command.do === "stop") this.#stopped(to, (answer as { report: RunReport }).report);
      this.#dispatch({ type: "told", to, command, isOk: true });
    } catch (error) {
      if (error instanceof MemberTimeout && process.isReachable) {
        this.#options.say(`${error.message}; it is ended`);
        this.#dispatch({ type: "hung", ...to });
      } else if (client.isOpen) {
        this.#options.say(`${process.who} refuses '${asked}': ${error instanceof Error ? error.message : String(error)}`);
        this.#dispatch({ type: "told", to, command, isOk: false });
      }
      // Otherwise it is ending, or cannot be reached for a while: events of their own.
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
        if (present.isReady) {
          void this.#findAgain(life);
          return;
        }
        present.isReady = true;
        this.#dispatch({ type: "ready", ...life });
        return;
      case "link":
        if (life.member === VSWITCH)
          this.#dispatch({ type: "link", vswitch: life.incarnation, member: event.member, incarnation: event.incarnation, isUp: event.up });
        return;
      case "member_lost":
        this.#options.say(`runtime ${event.member} is turned away from: ${whyLost(event.why)}`);
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

  /** One that is spoken to over another connection: what it has been told over the last one, it says itself. */
  async #findAgain(life: Life): Promise<void> {
    try {
      const present = this.#present.get(lifeName(life))!;
      const { members, homes, chain } = await present.process!.client!.ask("status", {}, TELL_MS);
      present.stale = staleIn(this.chain, chain);
      this.#dispatch({ type: "found", life, knows: members, homes });
      if (present.stale.length > 0) this.#options.onStale();
    } catch {
      // There will be a next connection, or its end.
    }
  }

  #onExit(life: Life, how: string): void {
    const present = this.#present.get(lifeName(life));
    if (!present) return;
    clearTimeout(present.startBy);
    const hasFailedToStart = !present.isReady && !present.isEnding && !this.#isStopping;
    if (hasFailedToStart && this.#isFirstStart) this.#changes.fail(present.startError(this.folder, how));
    else if (hasFailedToStart) this.#startErrors.set(life.member, present.startError(this.folder, how));
    if (!this.#isStopping && !this.#isFirstStart && this.#membership.runtimes.concat(VSWITCH).includes(life.member)) {
      const why = present.error?.message ?? (how === "" ? "it is gone" : how);
      this.#options.say(`${present.process?.who ?? whoIs(life, 0)} has died: ${safeText(why)}; it is started again`);
      this.#options.onDeath(life.member);
    }
    this.#dispatch({ type: "exited", ...life });
  }

  /** Books and membership go to disk as one. */
  #collect(life: Life): void {
    this.#accounts.close(life, this.#present.get(lifeName(life)));
    this.#present.delete(lifeName(life));
    this.#dispatch({ type: "collected", life });
  }

  /** Asks and looks from time to time. */
  #look(): void {
    void this.refresh();
    this.#looks.begin(() => {
      void this.refresh();
      this.#changes.happened();
      if (this.isWhole) this.#starter.prepare(this.#options.spec);
    });
  }
}
