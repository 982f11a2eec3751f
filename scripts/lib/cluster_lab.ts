/** `nfactor up` in the wire's namespace of a lab, and its users there: everything that a machine with a controller has, in folders of the lab's own. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ControlClient } from "../../host/src/rpc/client.ts";
import { NFACTOR } from "./live_host.ts";
import type { Finished, NetworkLab } from "./network_lab.ts";

const READY_MS = 30_000;
const COMMAND_MS = 120_000;
const SAID_MAX = 200_000;

export class ClusterLab {
  readonly #lab: NetworkLab;
  readonly #env: NodeJS.ProcessEnv;
  #up: ChildProcess | undefined;
  #said = "";

  constructor(lab: NetworkLab) {
    this.#lab = lab;
    this.#env = { ...process.env, XDG_RUNTIME_DIR: lab.folder, XDG_CONFIG_HOME: join(lab.folder, "config"), NO_COLOR: "1" };
    for (const name of ["NFACTOR_CONTEXT", "NFACTOR_API", "NFACTOR_TOKEN", "NFACTOR_TENANT"]) delete this.#env[name];
  }

  get state(): string {
    return join(this.#lab.folder, "state");
  }

  /** Events of all controllers so far, with their hosts': lines of JSON, the end of them. */
  get said(): string {
    return this.#said;
  }

  /** Starts controller and host; resolves when its API answers. */
  async up(...more: string[]): Promise<void> {
    const args = ["up", "--state", this.state, "--name", "h1", "--listen", "127.0.0.1:7780", "--json", ...more];
    const child = this.#lab.spawn("wire", process.execPath, [NFACTOR, ...args], { env: this.#env, cwd: this.#lab.folder });
    this.#up = child;
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk: Buffer) => (this.#said = (this.#said + chunk.toString()).slice(-SAID_MAX)));
    const ready = await this.nfactor("status", "--wait", "--timeout", String(READY_MS / 1000));
    if (ready.code !== 0) throw new Error(`nfactor up: ${ready.stderr}\n${this.#said}`);
  }

  /** With SIGKILL, and waits for its end. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Deployments end, and it does. */
  async close(): Promise<void> {
    await this.#end("SIGTERM");
    await this.nfactor("host", "--end", "--yes", "--state", join(this.state, "host"));
  }

  /** One command of a user, in the lab's folder. */
  nfactor(...args: string[]): Promise<Finished> {
    return this.#lab.run("wire", process.execPath, [NFACTOR, ...args], COMMAND_MS, { env: this.#env, cwd: this.#lab.folder });
  }

  /** One command, which must succeed; what it prints with --json. */
  async json<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.nfactor(...args, "--json");
    if (code !== 0) throw new Error(`nfactor ${args.join(" ")}: exit code ${code}\n${stdout}${stderr}\n${this.#said}`);
    return JSON.parse(stdout) as T;
  }

  /** Deploys a chain between client and server. Its file, which lies in the lab's folder. */
  async deploy(deployment: string, wanted: { readonly chain: readonly object[] } & Readonly<Record<string, unknown>>): Promise<string> {
    const { folder, clientIface, serverIface } = this.#lab;
    const file = join(folder, `${deployment}.yaml`);
    const ports = { client: { iface: clientIface }, server: { iface: serverIface } };
    // YAML is what JSON is part of.
    writeFileSync(file, JSON.stringify({ apiVersion: "nfactor/v1", ports, ...wanted }));
    await this.json("deploy", deployment, "-f", file);
    return file;
  }

  /** One command that goes on, with --json: what it prints is there line by line. */
  follow<T>(...args: string[]): Followed<T> {
    return new Followed(this.#lab.spawn("wire", process.execPath, [NFACTOR, ...args, "--json"], { env: this.#env }));
  }

  /** Straight to the supervisor of a deployment, for looks that a process each would be too slow for. */
  supervisorOf(deployment: string): Promise<ControlClient> {
    return ControlClient.connect(join(this.#lab.folder, `nfactor-${process.getuid!()}`, `${deployment.replace("/", ".")}.sock`));
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#up;
    this.#up = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
}

export class Followed<T> {
  readonly seen: T[] = [];
  readonly #child: ChildProcess;
  readonly #looks = new Set<() => void>();
  #said = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr!.on("data", (chunk: Buffer) => (this.#said += chunk.toString()));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      try {
        this.seen.push(JSON.parse(line) as T);
      } catch {
        // The last one, of a command that was killed.
        this.#said += line;
      }
      for (const look of [...this.#looks]) look();
    });
    child.once("close", () => [...this.#looks].forEach((look) => look()));
  }

  /** Rejects when it has ended, or it takes too long. */
  async until(what: string, isSo: (seen: readonly T[]) => boolean, withinMs = 60_000): Promise<void> {
    if (isSo(this.seen)) return;
    await new Promise<void>((done, fail) => {
      const over = (why?: string): void => {
        clearTimeout(timer);
        this.#looks.delete(look);
        if (why === undefined) done();
        else fail(new Error(`${what}: ${why}\n${this.#said}${JSON.stringify(this.seen.slice(-3))}`));
      };
      const look = (): void => {
        if (isSo(this.seen)) over();
        else if (this.#child.exitCode !== null || this.#child.signalCode !== null) over("the command has ended");
      };
      const timer = setTimeout(() => over(`not within ${withinMs} ms`), withinMs);
      this.#looks.add(look);
      look();
    });
  }

  /** Of what comes from now on, until what it returns is called. */
  each(take: (one: T) => void): () => void {
    let taken = this.seen.length;
    const look = (): void => {
      for (; taken < this.seen.length; taken++) take(this.seen[taken]!);
    };
    this.#looks.add(look);
    return () => void this.#looks.delete(look);
  }
}
