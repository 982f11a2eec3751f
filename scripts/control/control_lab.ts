/**
 * What the benchmark of the controller measures: `nfactor up` in the wire's namespace of a lab, and its user there. Everything is in the lab's folder and
 * namespaces, and ends with them: also what outlives its controller.
 */
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NFACTOR, ROOT } from "../lib/live_host.ts";
import { NetworkLab } from "../lib/network_lab.ts";
import type { UserOperations } from "./user.ts";
import { Worker, clockMs } from "./worker.ts";

const LISTEN = "127.0.0.1:7780";
/** Runtimes that the host takes: more than its standard for two CPUs, since those of the benchmark have little to do. */
const ROOM = 160;
const READY_MS = 30_000;
const SAID_MAX = 20_000;

export interface Started {
  readonly pid: number;
  readonly atMs: number;
}

export class ControlLab {
  readonly network = new NetworkLab();
  readonly state: string;
  user!: Worker<UserOperations>;
  readonly #children = new Set<ChildProcess>();
  #up: ChildProcess | undefined;
  #said = "";

  constructor() {
    const { folder } = this.network;
    this.state = join(folder, "state");
    // Of this process's children, too: what they compile and admit is in nobody's cache but this.
    Object.assign(process.env, { XDG_RUNTIME_DIR: folder, XDG_CONFIG_HOME: join(folder, "config"), XDG_CACHE_HOME: join(folder, "cache"), NO_COLOR: "1" });
  }

  async start(): Promise<void> {
    this.network.silence();
    const user = ["scripts/control/user.ts", [`http://${LISTEN}`, join(this.state, "admin.token")]] as const;
    this.user = await Worker.start<UserOperations>(this.network, "wire", ...user);
    this.up();
    await this.user.ask("untilRunning", { deployments: 0, runtimes: 0 }, READY_MS);
  }

  /** `nfactor up`, or with `--no-host` the controller alone; resolves at once. */
  up(...more: readonly string[]): Started {
    const room = more.includes("--no-host") ? [] : ["--room", String(ROOM), "--name", "h1"];
    const started = this.command("up", "--state", this.state, "--listen", LISTEN, "--no-context", "--json", ...room, ...more);
    this.#up = started.child;
    return started;
  }

  /** The host beside a controller that has none. */
  host(): Started & { readonly child: ChildProcess } {
    const where = ["--controller", join(this.state, "controller.sock"), "--name", "h1", "--state", join(this.state, "host")];
    return this.command("host", ...where, "--room", String(ROOM), "--json");
  }

  /** `nfactor …` in the wire's namespace; it ends with the lab. */
  command(...args: readonly string[]): Started & { readonly child: ChildProcess } {
    const atMs = clockMs();
    const child = this.network.spawn("wire", process.execPath, [NFACTOR, ...args], { cwd: ROOT });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk: Buffer) => (this.#said = (this.#said + chunk.toString()).slice(-SAID_MAX)));
    return { child, pid: child.pid!, atMs };
  }

  get pid(): number {
    return this.#up!.pid!;
  }

  /** With SIGKILL; what it has deployed goes on. */
  async kill(): Promise<void> {
    if (this.#up) await end(this.#up, "SIGKILL");
    this.#up = undefined;
  }

  /** What commands have said last: for when something has failed. */
  get said(): string {
    return this.#said;
  }

  /** Pairs of interfaces without anybody at their other ends, `<name>0`, `<name>1` …, for deployments that get no packets. */
  async addInterfaces(name: string, count: number): Promise<void> {
    const lines = Array.from({ length: count }, (_, i) => [
      `link add ${name}${i} type veth peer name ${name}${i}x`,
      `link set ${name}${i} up`,
      `link set ${name}${i}x up`,
    ]).flat();
    const file = join(this.network.folder, `${name}.batch`);
    writeFileSync(file, `${lines.join("\n")}\n`);
    const quiet = await this.network.run("wire", "sysctl", ["-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
    const made = await this.network.run("wire", "ip", ["-batch", file]);
    if (quiet.code !== 0 || made.code !== 0) throw new Error(`no interfaces can be made: ${quiet.stderr}${made.stderr}`);
  }

  /** A folder of its own below the lab's. */
  folder(name: string): string {
    const path = join(this.network.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  close(): void {
    this.network.close();
  }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

/** All threads of these, and what they start from then on. */
export function pin(pids: readonly number[], cpu: number): void {
  for (const pid of pids) execFileSync("taskset", ["-a", "-c", "-p", String(cpu), String(pid)], { stdio: "pipe" });
}
