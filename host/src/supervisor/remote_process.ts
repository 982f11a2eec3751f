/**
 * One process of a member that an agent has started. What is known of it is what the agent reports, which may be nothing for a while: then it is taken to go
 * on, and its control connection is made anew as soon as the agent answers again. Whoever is to be killed meanwhile is killed then.
 */
import type { NfError } from "@nfactor/sdk/errors";
import type { LifeReport } from "./agent_messages.ts";
import { parseCounterFile } from "./counter_file.ts";
import { MemberClient } from "./member_client.ts";
import { type MemberHandle, type MemberHandleOptions, whoIs } from "./member_handle.ts";
import type { Life } from "./membership_events.ts";
import type { RemoteAgent } from "./remote_agent.ts";

/** For what lies in the connection of a process that has ended. */
const LAST_WORDS_MS = 2_000;

export class RemoteProcess implements MemberHandle {
  readonly life: Life;
  readonly id: { pid: number };
  client: MemberClient | undefined;
  readonly #agent: RemoteAgent;
  readonly #options: MemberHandleOptions;
  #isAttaching = false;
  #isToDie = false;
  #hasExited = false;
  #cause: string | undefined;
  #reports = 0;
  #reportsSeen = 0;
  #whenClosed: (() => void) | undefined;

  /** `pid` 0: not known before the agent answers. */
  constructor(agent: RemoteAgent, options: MemberHandleOptions, pid: number) {
    this.#agent = agent;
    this.#options = options;
    this.life = options.life;
    this.id = { pid };
    agent.watch(this);
    void this.attach();
  }

  get who(): string {
    return whoIs(this.life, this.id.pid, this.#agent.address);
  }
  get agent(): string {
    return this.#agent.address;
  }
  get isReachable(): boolean {
    return this.#agent.isReachable;
  }

  isHeardOf(): boolean {
    const isNew = this.#reports !== this.#reportsSeen;
    this.#reportsSeen = this.#reports;
    return isNew;
  }

  kill(): void {
    this.#isToDie = true;
    void this.#agent.order("kill", this.life).catch(() => undefined);
  }

  abandon(): void {
    this.#hasExited = true;
    this.#whenClosed = undefined;
    this.#agent.unwatch(this);
    this.client?.close();
  }

  /** What the agent says of it; undefined: that there is no such life. */
  reported(report: LifeReport | undefined): void {
    if (this.#hasExited) return;
    if (report?.counters) this.#keepCounters(Buffer.from(report.counters, "base64"));
    if (!report?.isAlive) {
      if (report?.log) this.#options.folder.writeLog(this.life, report.log);
      this.#exited(report?.how ?? "it is gone");
      return;
    }
    this.id.pid = report.pid;
    this.#reports += 1;
    if (this.#isToDie) this.kill();
    else if (this.client?.isOpen !== true) void this.attach();
  }

  /** The agent cannot be reached, so neither can this. */
  lost(): void {
    this.client?.close();
  }

  /** Where those of a process of this machine are, so that they outlive the agent as well. */
  #keepCounters(bytes: Buffer): void {
    try {
      const { member, incarnation } = parseCounterFile(bytes, `what ${this.who} has counted`);
      if (member === this.life.member && incarnation === this.life.incarnation) this.#options.folder.writeCounters(this.life, bytes);
    } catch {
      // The last ones that could be read, or written, stay.
    }
  }

  async attach(): Promise<void> {
    if (this.#isAttaching || this.#hasExited || !this.#agent.isReachable) return;
    this.#isAttaching = true;
    try {
      const socket = await this.#agent.attach(this.life);
      if (this.#hasExited || !this.#agent.isReachable) {
        socket.destroy();
        return;
      }
      this.client = new MemberClient(socket, {
        who: this.who,
        onEvent: (event) => this.#options.onEvent(event),
        onClose: (cause) => this.#closed(cause),
      });
      socket.resume();
    } catch {
      // The next report tells whether there is anything to attach to.
    } finally {
      this.#isAttaching = false;
    }
  }

  #closed(cause: NfError | undefined): void {
    this.#whenClosed?.();
    // A connection that broke is made again; one that does not speak our language can only be ended.
    if (this.#hasExited || !cause || !this.#agent.isReachable || !this.client?.isMisunderstood) return;
    this.#cause = cause.format();
    this.kill();
  }

  #exited(how: string): void {
    this.#hasExited = true;
    this.#agent.unwatch(this);
    let timer: NodeJS.Timeout | undefined = undefined;
    const end = (): void => {
      clearTimeout(timer);
      this.#whenClosed = undefined;
      this.client?.close();
      this.#options.onExit(this.#cause ?? how);
    };
    if (this.client?.isOpen !== true) {
      setImmediate(end);
      return;
    }
    this.#whenClosed = end;
    timer = setTimeout(end, LAST_WORDS_MS);
  }
}
