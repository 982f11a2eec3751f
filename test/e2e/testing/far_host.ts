/** `nfactor host` in the far namespace of a lab: another machine of a cluster, which takes runtimes of the deployments of the wire's host. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { NFACTOR } from "../../../scripts/lib/live_host.ts";
import type { NetworkLab } from "../../../scripts/lib/network_lab.ts";

const MTU = 1700;
const AGENT_PORT = 7700;

export class FarHost {
  readonly #lab: NetworkLab;
  readonly #folder: string;
  #daemon: ChildProcess | undefined;
  #said = "";

  constructor(lab: NetworkLab) {
    this.#lab = lab;
    lab.addFarHost(MTU);
    this.#folder = join(lab.folder, "far");
    mkdirSync(this.#folder, { mode: 0o700 });
  }

  get said(): string {
    return this.#said;
  }

  /** With a token the first time. It says by itself when it is connected. */
  start(controller: string, token?: string): void {
    const { farAddress } = this.#lab;
    const agent = ["--agent", `${farAddress}:${AGENT_PORT}`, "--agent-iface", "between"];
    const args = ["host", "--controller", controller, "--state", join(this.#folder, "state"), ...agent, ...(token === undefined ? [] : ["--join", token])];
    const daemon = this.#lab.spawn("far", process.execPath, [NFACTOR, ...args], { env: { ...process.env, XDG_RUNTIME_DIR: this.#folder } });
    this.#daemon = daemon;
    for (const stream of [daemon.stdout!, daemon.stderr!]) stream.on("data", (chunk: Buffer) => (this.#said = (this.#said + chunk.toString()).slice(-20_000)));
  }

  /** Its exit code. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    const ended = once(this.#daemon!, "exit") as Promise<[number | null]>;
    this.#daemon!.kill(signal);
    return (await ended)[0];
  }
}
