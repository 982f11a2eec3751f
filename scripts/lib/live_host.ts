/**
 * The nfactor command as a user starts it, for the demo and the end-to-end tests: a live host in a lab's wire, and single commands. A command that
 * fails is an exception that carries what it printed.
 */
import { type ChildProcess, execFile } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunResult } from "../../host/src/result/run_result.ts";
import { ControlClient } from "../../host/src/rpc/client.ts";
import type { Result } from "../../host/src/rpc/protocol.ts";
import type { NetworkLab } from "./network_lab.ts";

export const ROOT = new URL("../../", import.meta.url).pathname;
export const NFACTOR = join(ROOT, "bin/nfactor");

export interface CommandOptions {
  cwd?: string;
  timeoutMs?: number;
  /** Besides this process's own. */
  env?: NodeJS.ProcessEnv;
}

/** Runs `nfactor …` to its end; resolves with exit code and output whatever the code. */
export function nfactor(
  args: readonly string[],
  { cwd = ROOT, timeoutMs = 120_000, env = {} }: CommandOptions = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      [NFACTOR, ...args],
      { cwd, env: { ...process.env, ...env }, timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: 256 << 20, encoding: "utf8" },
      (error, stdout, stderr) => {
        done({ code: error ? (typeof error.code === "number" ? error.code : 1) : 0, stdout, stderr });
      },
    );
  });
}

/** Like nfactor() with --json: the object that was printed. */
export async function nfactorJson<T>(args: readonly string[], options: CommandOptions = {}): Promise<T> {
  const { code, stdout, stderr } = await nfactor([...args, "--json"], options);
  if (code !== 0) throw new Error(`nfactor ${args.join(" ")} ended with ${code}:\n${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
}

/** A copy of a shipped NF with another version number, as an author would publish it. */
export function newVersion(lab: NetworkLab, nf: string, version: string): string {
  const folder = join(lab.folder, `${nf}-${version}`);
  cpSync(join(ROOT, "nf-wasm", nf), folder, { recursive: true, filter: (path) => !/\/(build|node_modules)$/.test(path) });
  const manifest = join(folder, "nf.yaml");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace(/^version: .*$/m, `version: ${version}`));
  return folder;
}

export class LiveHost {
  readonly name: string;
  /** Control sockets lie in the lab's folder: a host that serves a test is nobody else's. */
  readonly #env: NodeJS.ProcessEnv;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #stdout = "";
  #stderr = "";

  private constructor(lab: NetworkLab, name: string, args: readonly string[], stderr: "pipe" | number) {
    this.name = name;
    this.#env = { XDG_RUNTIME_DIR: lab.folder };
    const ifaces = ["--client-iface", lab.clientIface, "--server-iface", lab.serverIface];
    this.#child = lab.spawn("wire", process.execPath, [NFACTOR, "run", ...args, ...ifaces, "--name", name, "--quiet", "--json"], {
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", "pipe", stderr],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.#child.stderr?.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#ended = new Promise((done) => this.#child.once("close", (code) => done(code ?? 1)));
  }

  /** Starts a host and waits until it answers on its control socket. `stderr`: a descriptor for its messages. */
  static async start(lab: NetworkLab, name: string, args: readonly string[], stderr: "pipe" | number = "pipe"): Promise<LiveHost> {
    const host = new LiveHost(lab, name, args, stderr);
    let ended = false;
    void host.#ended.then(() => (ended = true));
    for (let i = 0; i < 300 && !ended; i++) {
      const { code } = await nfactor(["flows", "--limit", "1", "--host", name, "--json"], { env: host.#env });
      if (code === 0) return host;
      await new Promise((done) => setTimeout(done, 100));
    }
    host.#child.kill("SIGKILL");
    throw new Error(`the host did not start:\n${host.#stderr}${host.#stdout}`);
  }

  get pid(): number {
    return this.#child.pid!;
  }
  get messages(): string {
    return this.#stderr;
  }
  /** When it has ended, by whatever. */
  get exitCode(): Promise<number> {
    return this.#ended;
  }

  flows(...match: string[]): Promise<Result<"flows">> {
    return nfactorJson(["flows", ...match, "--host", this.name], { env: this.#env });
  }

  /** Any command to this host, whatever its exit code; its output without --json unless that is asked for. */
  run(command: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return nfactor([...command.split(" "), ...args, "--host", this.name], { env: this.#env });
  }

  /** Any command to this host with --json. */
  json<T>(command: string, ...args: string[]): Promise<T> {
    return nfactorJson<T>([...command.split(" "), ...args, "--host", this.name], { env: this.#env });
  }

  /** A connection of its own to the control socket, for what a process each would be too slow for. */
  connect(): Promise<ControlClient> {
    return ControlClient.connect(join(this.#env["XDG_RUNTIME_DIR"]!, `nfactor-${process.getuid!()}`, `${this.name}.sock`));
  }

  swap(entry: string, nf: string, ...more: string[]): Promise<Result<"swap">> {
    return nfactorJson(["swap", entry, nf, "--host", this.name, ...more], { env: this.#env });
  }

  /** Ctrl-C; resolves with the run's result. */
  stop(): Promise<RunResult> {
    this.#child.kill("SIGINT");
    return this.ended();
  }

  /** The run's result once it has ended, by itself or by a signal of others. */
  async ended(): Promise<RunResult> {
    const code = await this.#ended;
    if (code !== 0) throw new Error(`the host ended with ${code}:\n${this.#stderr}${this.#stdout}`);
    return JSON.parse(this.#stdout) as RunResult;
  }
}
