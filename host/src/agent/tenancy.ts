/**
 * What an agent keeps of one tenant: its runtimes here, their folder, and the connection of the supervisor that gives orders. The folder names the run that
 * the processes belong to. Those of another run are ended before anything of the next one is started, and only when nobody gives orders for them any more.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { basename, join } from "node:path";
import type { TLSSocket } from "node:tls";
import { NfError } from "@nfactor/sdk/errors";
import { compileNf } from "../nf/compile.ts";
import { AGENT_LINE_BYTES_MAX, type Hello, ORDERS, type Order, type OrderAnswer, SILENCE_MS, orderSchema } from "../supervisor/agent_messages.ts";
import { mtuOf } from "../supervisor/agents.ts";
import { LineReader } from "../supervisor/line_reader.ts";
import { findMembers } from "../supervisor/member_process.ts";
import type { Life } from "../supervisor/membership_events.ts";
import { RunFolder, lifeName, lifeOfSpec } from "../supervisor/run_folder.ts";
import { within } from "../supervisor/within.ts";
import { WatchedProcess } from "./watched_process.ts";

const RUN = "tenancy";
/** A process that was killed is gone this soon. */
const END_MS = 10_000;
/** A process listens on its control socket this soon. */
const LISTEN_MS = 30_000;
const TRY_MS = 20;
/** Orders that are not done yet. */
const ORDERS_MAX = 256;
const FILE_IDLE_MS = 30_000;
/**
 * Modules, native code and configurations: each swap brings others. A chain has 48 of them at the most, and while it is swapped for another one both are
 * wanted. Processes that run have read theirs.
 */
const FILES_MAX = 128;
/** A member has this many runtimes at most; as many again may wait to be forgotten. */
const LIVES_MAX = 32;

export class Tenancy {
  readonly #folder: RunFolder;
  readonly #iface: string;
  readonly #say: (text: string) => void;
  readonly #processes = new Map<string, WatchedProcess>();
  readonly #attached = new Map<string, TLSSocket>();
  #supervisor: TLSSocket | undefined;

  /** Takes over what an earlier agent has left. Throws NfError (usage, host.socket). */
  constructor(host: string, iface: string, say: (text: string) => void) {
    this.#folder = RunFolder.hold(host, process.env, "agent");
    this.#iface = iface;
    this.#say = say;
    const running = findMembers(this.#folder.path);
    for (const file of readdirSync(this.#folder.path)) {
      const life = lifeOfSpec(file);
      if (!life) continue;
      const id = running.find((one) => lifeName(one.life) === lifeName(life))?.id;
      this.#watch(WatchedProcess.found(this.#folder, life, id));
      if (id) say(`${this.#name(life)} (pid ${id.pid}) is taken over`);
    }
  }

  /** The connection of a supervisor that may be here. Rejects with NfError (host.socket). */
  async begin(hello: Hello, socket: TLSSocket): Promise<object> {
    if (this.#run !== hello.tenancy) {
      if (hello.for !== "orders") throw new NfError("host.socket", `the runtimes of host '${hello.host}' here are of another run of it`);
      await this.#beginRun(hello.tenancy);
    }
    switch (hello.for) {
      case "orders":
        this.#obey(socket);
        return { iface: this.#iface, mtu: mtuOf(this.#iface) ?? 0 };
      case "member":
        return this.#attach(hello, socket);
      case "file":
        return { send: !this.#has(hello.sha256, hello.bytes) };
    }
  }

  /** Behind the answer to a `file`. Rejects with NfError (host.socket) when something else comes than was announced. */
  async takeFile({ sha256, bytes }: Hello & { for: "file" }, socket: TLSSocket): Promise<void> {
    const file = await readBytes(socket, bytes);
    if (createHash("sha256").update(file).digest("hex") !== sha256) throw new NfError("host.socket", `what came is not the file that was announced`);
    this.#folder.keepBytes(file);
    this.#folder.keepLastBytes(FILES_MAX);
  }

  /** Nobody gives orders, and nothing runs. */
  get isIdle(): boolean {
    return this.#supervisor === undefined && ![...this.#processes.values()].some(({ isAlive }) => isAlive);
  }

  /** The processes go on, and the next agent takes them over. How messages name them. */
  leave(): string[] {
    this.#supervisor?.destroy();
    for (const socket of this.#attached.values()) socket.destroy();
    for (const process of this.#processes.values()) process.abandon();
    const alive = [...this.#processes.values()].filter(({ isAlive }) => isAlive);
    if (alive.length === 0) this.#folder.remove();
    else this.#folder.unlock();
    return alive.map(({ life, pid }) => `${this.#name(life)} (pid ${pid})`);
  }

  get #run(): string {
    const path = join(this.#folder.path, RUN);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  async #beginRun(tenancy: string): Promise<void> {
    if (this.#supervisor)
      throw new NfError("host.socket", `another supervisor has runtimes of a host '${this.#folder.name}' here`, {
        fix: "Give this one another name with --name.",
      });
    const old = [...this.#processes.values()];
    for (const process of old) {
      if (process.isAlive) this.#say(`${this.#name(process.life)} (pid ${process.pid}) is of an earlier run, and is ended`);
      process.kill();
    }
    await within(END_MS, Promise.all(old.map(({ ended }) => ended)), `processes of an earlier run of host '${this.#folder.name}' do not end`);
    this.#processes.clear();
    this.#folder.clear();
    writeFileSync(join(this.#folder.path, RUN), tenancy, { mode: 0o600 });
  }

  #name({ member }: Life): string {
    return `runtime ${member} of '${this.#folder.name}'`;
  }

  #watch(process: WatchedProcess): void {
    const name = lifeName(process.life);
    this.#processes.set(name, process);
    void process.ended.then(() => {
      if (this.#processes.get(name) !== process) return;
      this.#supervisor?.write(`${JSON.stringify({ event: "exited" })}\n`);
      this.#tidy();
    });
  }

  #obey(socket: TLSSocket): void {
    this.#supervisor?.destroy();
    this.#supervisor = socket;
    this.#say(`the supervisor of '${this.#folder.name}' is connected`);
    const reader = new LineReader(AGENT_LINE_BYTES_MAX);
    let waiting = 0;
    socket.setTimeout(SILENCE_MS.of_supervisor, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      // One that has been replaced gives no orders any more.
      if (this.#supervisor !== socket) return;
      try {
        for (const line of reader.push(chunk)) {
          const order = orderSchema.parse(JSON.parse(line));
          if (++waiting > ORDERS_MAX) throw new Error("too many orders at once");
          void this.#answer(order, socket).finally(() => (waiting -= 1));
        }
      } catch (error) {
        this.#say(`what the supervisor of '${this.#folder.name}' says is not understood: ${error instanceof Error ? error.message : String(error)}`);
        socket.destroy();
      }
    });
    socket.once("close", () => {
      if (this.#supervisor !== socket) return;
      this.#supervisor = undefined;
      for (const attached of this.#attached.values()) attached.destroy();
      const goOn = [...this.#processes.values()].some(({ isAlive }) => isAlive);
      this.#say(`the supervisor of '${this.#folder.name}' is gone${goOn ? "; its runtimes go on" : ""}`);
      this.#tidy();
    });
  }

  /** Where nothing runs and nobody starts anything, no files are wanted: a supervisor that connects sends them. */
  #tidy(): void {
    if (this.isIdle) this.#folder.keepLastBytes(0);
  }

  async #answer({ id, do: order, ...fields }: { id: number; do: Order }, socket: TLSSocket): Promise<void> {
    let answer: object;
    try {
      answer = { id, ok: await this.#do(order, fields) };
    } catch (error) {
      answer = { id, error: problemOf(error) };
    }
    if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
  }

  #do(order: Order, fields: object): Promise<OrderAnswer<Order>> | OrderAnswer<Order> {
    switch (order) {
      case "report":
        return { lives: [...this.#processes.values()].map((process) => process.report()) };
      case "prepare":
        return this.#prepare(ORDERS.prepare.fields.parse(fields));
      case "spawn":
        return this.#spawn(ORDERS.spawn.fields.parse(fields));
      case "kill":
        this.#processes.get(lifeName(ORDERS.kill.fields.parse(fields)))?.kill();
        return {};
      case "forget":
        this.#forget(ORDERS.forget.fields.parse(fields));
        return {};
    }
  }

  async #prepare({ core, config }: { core: string; config: string }): Promise<{ native: string; config: string }> {
    for (const sha256 of [core, config]) if (!existsSync(this.#folder.bytesOf(sha256))) throw new NfError("host.socket", `file ${sha256} was not sent`);
    for (const sha256 of [core, config]) this.#folder.touchBytes(sha256);
    const native = this.#folder.keepBytes(await compileNf(readFileSync(this.#folder.bytesOf(core)), core));
    this.#folder.touchBytes(basename(native, ".bin"));
    this.#folder.keepLastBytes(FILES_MAX);
    return { native, config: this.#folder.bytesOf(config) };
  }

  async #spawn({ member, incarnation, spec }: { member: number; incarnation: number; spec: { vswitch: object } }): Promise<{ pid: number }> {
    const life = { member, incarnation };
    if (this.#processes.has(lifeName(life))) throw new NfError("host.socket", `${this.#name(life)} has been started already`);
    if (this.#processes.size >= LIVES_MAX) throw new NfError("runtime.limit", `there are ${LIVES_MAX} processes here, which is all`);
    const folder = this.#folder;
    const own = { control: folder.controlOf(life), counters: folder.countersOf(life), vswitch: { ...spec.vswitch, link: { iface: this.#iface } } };
    folder.writeSpec(life, { ...spec, ...life, ...own });
    const process = await WatchedProcess.start(folder, life);
    this.#watch(process);
    return { pid: process.pid };
  }

  #forget(life: Life): void {
    const process = this.#processes.get(lifeName(life));
    if (process?.isAlive) return;
    this.#processes.delete(lifeName(life));
    this.#folder.forget(life);
  }

  #has(sha256: string, bytes: number): boolean {
    const path = this.#folder.bytesOf(sha256);
    if (!existsSync(path) || statSync(path).size !== bytes) return false;
    this.#folder.touchBytes(sha256);
    return true;
  }

  /** From now on `socket` is the process's control connection; the one before is closed. */
  async #attach(life: Life, socket: TLSSocket): Promise<object> {
    const name = lifeName(life);
    const process = this.#processes.get(name);
    const until = performance.now() + LISTEN_MS;
    let control: Socket | undefined;
    while (process?.isAlive && !socket.destroyed && performance.now() < until && !control) {
      control = await open(this.#folder.controlOf(life));
      if (!control) await new Promise((done) => setTimeout(done, TRY_MS));
    }
    if (!control) throw new NfError("host.socket", `${this.#name(life)} does not listen`);
    this.#attached.get(name)?.destroy();
    this.#attached.set(name, socket);
    const there = control;
    there.on("error", () => undefined);
    there.once("close", () => socket.end());
    socket.once("close", () => {
      there.destroy();
      if (this.#attached.get(name) === socket) this.#attached.delete(name);
    });
    // What the member says must not come before the answer to the supervisor.
    setImmediate(() => {
      there.pipe(socket);
      socket.pipe(there);
    });
    return {};
  }
}

/** Undefined when nobody listens there. */
function open(path: string): Promise<Socket | undefined> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once("connect", () => done(socket));
    socket.once("error", () => done(undefined));
  });
}

/** So many bytes and no more. Rejects with NfError (host.socket) when they do not come. */
function readBytes(socket: TLSSocket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let taken = 0;
  return new Promise((done, fail) => {
    const end = (): void => {
      socket.pause();
      socket.off("data", take).off("close", closed).setTimeout(0);
    };
    const closed = (): void => fail(new NfError("host.socket", `${taken} bytes of ${bytes} came`));
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      taken += chunk.length;
      if (taken < bytes) return;
      end();
      if (taken === bytes) done(Buffer.concat(chunks));
      else fail(new NfError("host.socket", `more than ${bytes} bytes came`));
    };
    socket.setTimeout(FILE_IDLE_MS, () => socket.destroy());
    socket.on("data", take).once("close", closed);
    if (bytes === 0) take(Buffer.alloc(0));
    else socket.resume();
  });
}

/** For whoever asked. */
export function problemOf(error: unknown): { code: string; message: string } {
  if (error instanceof NfError) return { code: error.code, message: error.message };
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}
