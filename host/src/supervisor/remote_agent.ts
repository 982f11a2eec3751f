/**
 * An agent on another machine as a supervisor sees it: the connection for orders, which is made again whenever it breaks, and the processes there. What the
 * agent reports is all that is known of them; a report is asked for several times a second, which is also how each side notices that the other is gone.
 */
import { createHash } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { NfError } from "@nfactor/sdk/errors";
import { type Endpoint, parseEndpoint } from "../config/endpoint.ts";
import type { NfSpec } from "../dataplane/native_types.ts";
import { safeText } from "../result/text.ts";
import {
  AGENT_LINE_BYTES_MAX,
  FILE_BYTES_MAX,
  type Greeting,
  type LifeReport,
  ORDERS,
  type Order,
  type OrderAnswer,
  type OrderFields,
  REPORT_MS,
  SILENCE_MS,
  agentEventSchema,
  answerSchema,
} from "./agent_messages.ts";
import { agentError, connectAgent, readAnswer } from "./agent_tls.ts";
import { LineReader } from "./line_reader.ts";
import type { MemberHandleOptions } from "./member_handle.ts";
import type { Life } from "./membership_events.ts";
import { RemoteProcess } from "./remote_process.ts";
import { lifeName } from "./run_folder.ts";
import { nfWithoutCode } from "./tenant_spec.ts";

const AGAIN_MS = 500;
const ORDER_MS = 10_000;
/** For whoever is in a hurry. */
const KILL_MS = 2_000;
/** A compiler has its own deadline, and several may wait for one CPU. */
const PREPARE_MS = 120_000;
const FILE_MS = 60_000;
/** A process listens on its control socket this soon after its start. */
const ATTACH_MS = 30_000;

/** What is configured of an agent. */
export interface AgentSpec {
  /** `10.0.0.2:7700` */
  address: string;
  key: Buffer;
  /** Of this machine, towards the agent's. */
  iface: string;
  /** How many of the tenant's runtimes are there. */
  runtimes: number;
}

interface Waiting {
  order: Order;
  done(answer: unknown): void;
  fail(error: Error): void;
  timer: NodeJS.Timeout;
}

export class RemoteAgent {
  readonly iface: string;
  #address: string;
  #endpoint: Endpoint;
  #key: Buffer;
  readonly #tenant: { host: string; tenancy: string };
  readonly #say: (text: string) => void;
  readonly #processes = new Map<string, RemoteProcess>();
  /** Lives that the agent is being told to start. */
  readonly #starting = new Set<string>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #sent = new Set<string>();
  #socket: TLSSocket | undefined;
  #greeting: Greeting<"orders"> | undefined;
  #lastId = 0;
  #isReporting = false;
  #reportAgain = false;
  #isClosed = false;
  #again: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  #whenReachable: (() => void)[] = [];

  constructor(spec: AgentSpec, tenant: { host: string; tenancy: string }, say: (text: string) => void) {
    this.#address = spec.address;
    this.iface = spec.iface;
    this.#endpoint = parseEndpoint(spec.address)!;
    this.#key = spec.key;
    this.#tenant = tenant;
    this.#say = say;
  }

  get address(): string {
    return this.#address;
  }
  get who(): string {
    return `the agent at ${this.#address}`;
  }
  get isReachable(): boolean {
    return this.#socket !== undefined;
  }
  /** Its interface towards this machine, as it said last. */
  get there(): Greeting<"orders"> | undefined {
    return this.#greeting;
  }

  /** One attempt, and the first report. Rejects with NfError. */
  async connect(): Promise<LifeReport[]> {
    const { socket, greeting } = await connectAgent(this.#endpoint, this.#key, this.who, this.#tenant, { for: "orders" });
    if (this.#isClosed) {
      socket.destroy();
      throw new NfError("host.socket", `the connection to ${this.who} is not wanted any more`);
    }
    this.#greeting = greeting;
    this.#sent.clear();
    this.#serve(socket);
    const { lives } = await this.order("report", {}, SILENCE_MS.of_agent);
    this.#poll = setInterval(() => void this.#report(), REPORT_MS);
    for (const wake of this.#whenReachable.splice(0)) wake();
    return lives;
  }

  /** From now on it is connected to again whenever it cannot be reached. */
  keep(): void {
    clearTimeout(this.#again);
    if (this.#isClosed || this.isReachable) return;
    this.connect().then(
      (lives) => {
        this.#say(`${this.who} is reachable again`);
        this.#reported(lives);
      },
      () => {
        if (!this.#isClosed) this.#again = setTimeout(() => this.keep(), AGAIN_MS);
      },
    );
  }

  /** The same machine and its processes, at another address or with another key: it is connected to anew. */
  become({ address, key }: Pick<AgentSpec, "address" | "key">): void {
    if (address === this.#address && key.equals(this.#key)) return;
    this.#address = address;
    this.#endpoint = parseEndpoint(address)!;
    this.#key = key;
    this.#socket?.destroy();
  }

  /** Processes there go on. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#again);
    this.#socket?.destroy();
    for (const wake of this.#whenReachable.splice(0)) wake();
  }

  /** Nothing of ours is there any more. What was said last still gets there. Resolves when the connection ends. */
  async retire(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#again);
    await this.order("report", {}, KILL_MS).catch(() => undefined);
    this.close();
  }

  /** Resolves when it can be reached, or is no longer wanted. */
  async reachable(): Promise<void> {
    if (!this.isReachable && !this.#isClosed) await new Promise<void>((done) => this.#whenReachable.push(done));
  }

  /** What is known of its processes is as of now; as of before, when it cannot be reached. */
  async refresh(): Promise<void> {
    await this.order("report", {}, SILENCE_MS.of_agent).then(
      ({ lives }) => this.#reported(lives),
      () => undefined,
    );
  }

  watch(process: RemoteProcess): void {
    this.#processes.set(lifeName(process.life), process);
  }
  unwatch(process: RemoteProcess): void {
    this.#processes.delete(lifeName(process.life));
  }

  /** Rejects with NfError: the agent's, or host.socket when it cannot be reached, or does not answer in time. */
  order<O extends Order>(order: O, fields: OrderFields<O>, deadlineMs = ORDER_MS): Promise<OrderAnswer<O>> {
    const socket = this.#socket;
    if (!socket) return Promise.reject(this.#gone());
    const id = ++this.#lastId;
    return new Promise<OrderAnswer<O>>((done, fail) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        fail(new NfError("host.socket", `${this.who} has not answered '${order}' for ${deadlineMs / 1000} s`));
        socket.destroy();
      }, deadlineMs);
      this.#waiting.set(id, { order, done: done as (answer: unknown) => void, fail, timer });
      socket.write(`${JSON.stringify({ id, do: order, ...fields })}\n`);
    });
  }

  /** The control connection to a process there. Rejects with NfError. */
  async attach({ member, incarnation }: Life): Promise<TLSSocket> {
    const purpose = { for: "member", member, incarnation } as const;
    return (await connectAgent(this.#endpoint, this.#key, this.who, this.#tenant, purpose, ATTACH_MS)).socket;
  }

  /** An entry of the chain with paths of the agent's machine, where its module has been made native. Rejects with NfError. */
  async nfFiles(nf: NfSpec): Promise<object> {
    const { core, config } = nf;
    if (!core) throw new Error(`entry ${nf.entry} has no module to send`);
    const prepare = async (): Promise<OrderAnswer<"prepare">> =>
      this.order("prepare", { core: await this.#send(core), config: await this.#send(config) }, PREPARE_MS);
    const files = await prepare().catch((error: NfError) => {
      if (error.code !== "host.socket" || !this.isReachable) throw error;
      // It keeps so many files and no more: what was sent long ago may have to be sent again.
      this.#sent.clear();
      return prepare();
    });
    return { ...nfWithoutCode(nf), ...files };
  }

  /** Starts a process there; waits while the agent cannot be reached. Rejects with NfError. */
  async spawn(options: MemberHandleOptions, spec: object): Promise<RemoteProcess> {
    const name = lifeName(options.life);
    this.#starting.add(name);
    try {
      const { pid } = await this.order("spawn", { ...options.life, spec: spec as { vswitch: Record<string, unknown> } });
      return new RemoteProcess(this, options, pid);
    } finally {
      this.#starting.delete(name);
    }
  }

  /** All processes there; resolves when the agent has done it, or cannot be expected to. */
  async killAll(): Promise<void> {
    const lives = [...this.#processes.values()].map(({ life }) => this.order("kill", life, KILL_MS));
    await Promise.allSettled(lives);
  }

  /** It is in the books; the agent may remove what it has kept. */
  async forget(life: Life): Promise<void> {
    await this.order("forget", life).catch(() => undefined);
  }

  /** By the name of its bytes; what is there already is not sent again. */
  async #send(bytes: Uint8Array): Promise<string> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (this.#sent.has(sha256)) return sha256;
    if (bytes.length > FILE_BYTES_MAX) throw new NfError("host.socket", `${bytes.length} bytes are too many for ${this.who}`);
    const purpose = { for: "file", sha256, bytes: bytes.length } as const;
    const { socket, greeting } = await connectAgent(this.#endpoint, this.#key, this.who, this.#tenant, purpose);
    try {
      if (greeting.send) {
        socket.write(bytes);
        await readAnswer(socket, this.who, FILE_MS);
      }
    } finally {
      socket.destroy();
    }
    this.#sent.add(sha256);
    return sha256;
  }

  #serve(socket: TLSSocket): void {
    this.#socket = socket;
    const reader = new LineReader(AGENT_LINE_BYTES_MAX);
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const line of reader.push(chunk)) this.#understand(line);
      } catch (error) {
        this.#say(error instanceof NfError ? error.message : `${this.who}: ${String(error)}`);
        socket.destroy();
      }
    });
    socket.once("close", () => this.#lost(socket));
    socket.resume();
  }

  #understand(line: string): void {
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      json = undefined;
    }
    if (agentEventSchema.safeParse(json).success) {
      void this.#report();
      return;
    }
    const answer = answerSchema.safeParse(json);
    if (!answer.success) throw this.#odd(line);
    const waiting = this.#waiting.get(answer.data.id);
    if (!waiting) return;
    this.#waiting.delete(answer.data.id);
    clearTimeout(waiting.timer);
    if ("error" in answer.data) {
      waiting.fail(agentError(answer.data.error, this.who));
      return;
    }
    const ok = ORDERS[waiting.order].answer.safeParse(answer.data.ok);
    if (ok.success) waiting.done(ok.data);
    else {
      waiting.fail(this.#odd(line));
      throw this.#odd(line);
    }
  }

  #odd(line: string): NfError {
    return new NfError("host.socket", `${this.who} says what is not understood`, { given: safeText(line, 200) });
  }
  #gone(): NfError {
    return new NfError("host.socket", `${this.who} is not reachable`);
  }

  #lost(socket: TLSSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    clearInterval(this.#poll);
    for (const { timer, fail } of this.#waiting.values()) {
      clearTimeout(timer);
      fail(this.#gone());
    }
    this.#waiting.clear();
    for (const process of this.#processes.values()) process.lost();
    if (this.#isClosed) return;
    if (this.#processes.size > 0) this.#say(`${this.who} is not reachable: its runtimes are taken to go on`);
    this.#again = setTimeout(() => this.keep(), AGAIN_MS);
  }

  async #report(): Promise<void> {
    this.#reportAgain = this.#isReporting;
    if (this.#isReporting) return;
    this.#isReporting = true;
    try {
      do {
        this.#reportAgain = false;
        this.#reported((await this.order("report", {}, SILENCE_MS.of_agent)).lives);
      } while (this.#reportAgain);
    } catch {
      // An answer that does not come ends the connection.
    } finally {
      this.#isReporting = false;
    }
  }

  #reported(lives: readonly LifeReport[]): void {
    const byName = new Map(lives.map((life) => [lifeName(life), life]));
    for (const [name, process] of [...this.#processes]) process.reported(byName.get(name));
    // Whom nobody here knows was told to start before the connection broke, or is in the books already.
    for (const [name, { member, incarnation, isAlive }] of byName) {
      if (this.#processes.has(name) || this.#starting.has(name)) continue;
      if (isAlive) void this.order("kill", { member, incarnation }).catch(() => undefined);
      else void this.forget({ member, incarnation });
    }
  }
}
