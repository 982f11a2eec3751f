/**
 * A cluster for docs/running_system.md: a controller with its host, another host behind a cable, one deployment with replicas whose runtimes are on both, and
 * traffic through it. Every request of the contract is made by a user's command or by the system itself; which command it was is remembered by the time.
 */
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { RpcLine } from "@nfactor/host/session";
import type { deploymentView } from "../../../controller/src/rest/views.ts";
import { finished } from "../../../host/src/cli/testing.ts";
import { NumberedFlows } from "../numbered_flows.ts";
import type { z } from "zod";
import { NFACTOR, newVersion } from "../live_host.ts";
import type { NetworkLab } from "../network_lab.ts";
import type { MethodName } from "./contract.ts";

const RPC = "10.78.0.1:7800";
const AGENT = "10.78.0.2:7700";
const MTU = 1700;
const READY_MS = 60_000;
const FLOWS = 60;
const EVERY_MS = 20;
/** Flows that move, or are shown. */
const SOME = "5";

export type DeploymentJson = z.output<typeof deploymentView>;
/** A command, and between which times (ms since 1970) it was under way. */
export interface Command {
  readonly words: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Requests that it is to be shown for. */
  readonly shows: readonly MethodName[];
}
export interface Sums {
  readonly sent: number;
  readonly lost: number;
  readonly reordered: number;
  readonly repeated: number;
}
/** As the kernel has it. */
export interface Process {
  readonly name: string;
  readonly pid: number;
  readonly parent: number;
  readonly words: readonly string[];
  readonly where: "h1" | "h2";
}

export class Scene {
  readonly commands: Command[] = [];
  readonly #lab: NetworkLab;
  readonly #env: Readonly<Record<"wire" | "far", NodeJS.ProcessEnv>>;
  #up: ChildProcess | undefined;
  #far: ChildProcess | undefined;
  #traffic: NumberedFlows | undefined;
  #calm: Sums | undefined;
  #said = "";

  constructor(lab: NetworkLab) {
    this.#lab = lab;
    lab.addFarHost(MTU);
    const of = (folder: string): NodeJS.ProcessEnv => {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return { ...process.env, XDG_RUNTIME_DIR: folder, XDG_CONFIG_HOME: join(folder, "config"), NO_COLOR: "1" };
    };
    this.#env = { wire: of(join(lab.folder, "near")), far: of(join(lab.folder, "far")) };
  }

  get #log(): string {
    return join(this.#lab.folder, "rpc.log");
  }

  lines(): RpcLine[] {
    return readFileSync(this.#log, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as RpcLine);
  }

  /** Controller, hosts, deployment, traffic; the fourth runtime is on the other host. */
  async begin(): Promise<void> {
    const up = ["up", "--state", join(this.#lab.folder, "state"), "--name", "h1", "--room", "3", "--rpc", RPC, "--rpc-log", this.#log];
    this.#up = this.#start("wire", up);
    await this.#json([], "status", "--wait", "--timeout", "30");
    await this.#join();
    await this.#json([], "push", "flow_monitor");
    const { version: first } = await this.#json<{ version: string }>([], "push", "firewall");
    await this.#json([], "push", newVersion(this.#lab, "firewall", "9.0.0"));
    const file = join(this.#lab.folder, "web.yaml");
    const ports = `{ client: { iface: ${this.#lab.clientIface} }, server: { iface: ${this.#lab.serverIface} } }`;
    const rules = "{ default: allow, rules: [{ action: drop, protocol: tcp, side: client, to: 10.77.0.0/16, ports: 8080 }] }";
    writeFileSync(
      file,
      `apiVersion: nfactor/v1\nhost: h1\nports: ${ports}\nreplication: { mode: hold }\nscaling: { min: 3, max: 3, replicas: 1 }\n` +
        `peers: [{ host: h2, iface: between }]\nchain:\n  - nf: flow_monitor\n  - { nf: firewall@${first}, config: ${rules} }\n`,
    );
    await this.run(["deploy", "artifact"], "deploy", "web", "-f", file);
    this.#traffic = await NumberedFlows.start(this.#lab, { flows: FLOWS, everyMs: EVERY_MS });
    await this.run(["add_runtime"], "scale", "web", "4");
    await this.run(["migrate_flows"], "migrate", "web", "--from", "1", "--to", "4", "--count", SOME);
    await this.#until("every flow has a replica", ({ runtimes }) => {
      const all = runtimes?.runtimes ?? [];
      return all.length === 5 && all.every(({ state, unprotected, targets, runtime }) => state !== "down" && unprotected === 0 && (runtime === 0 || targets));
    });
  }

  /** The rest of the contract. */
  async goOn(): Promise<void> {
    await this.run(["poll_load"], "runtimes", "web");
    await this.run(["flows"], "flows", "web", "udp", ":9", "--limit", "1");
    await this.run(["trace"], "trace", "web", "--match", "udp port 9", "-n", "1");
    await this.run(["capture"], "capture", "web", "--point", "firewall:out", "--match", "udp port 9", "-n", SOME, "-o", join(this.#lab.folder, "out.pcapng"));
    await this.run(["swap"], "swap", "web", "firewall", "firewall@9.0.0");
    await this.run(["drain"], "drain", "web", "2");
    await this.run(["undrain"], "undrain", "web", "2");
    this.#calm = await this.#traffic!.end();
    this.#traffic = await NumberedFlows.start(this.#lab, { flows: FLOWS, everyMs: EVERY_MS });
    await this.run(["recover"], "recover", "web", "3", "--yes");
    await this.#until("the runtime is back", ({ runtimes }) => runtimes!.runtimes.every(({ state, unprotected }) => state !== "down" && unprotected === 0));
    await this.run([], "scale", "web", "3");
    await this.#until("a runtime has left", ({ runtimes }) => runtimes!.runtimes.length === 4);
  }

  /** What became of the traffic: until a runtime was killed, and from then on. */
  async end(): Promise<readonly [Sums, Sums]> {
    const sums = await this.#traffic!.end();
    await this.run(["undeploy"], "undeploy", "web", "--yes");
    return [this.#calm!, sums];
  }

  async deployment(): Promise<DeploymentJson> {
    return this.#json([], "status", "web");
  }

  /** Processes of the hosts' namespaces. */
  processes(): Process[] {
    return (["wire", "far"] as const).flatMap((place) =>
      this.#lab.pids(place).flatMap((pid): Process[] => {
        const file = `/proc/${pid}`;
        if (!existsSync(file)) return [];
        const words = readFileSync(`${file}/cmdline`, "utf8").split("\0").filter(Boolean);
        const parent = Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`${file}/status`, "utf8"))?.[1] ?? 0);
        return [{ name: (words[0] ?? "").split("/").at(-1)!, pid, parent, words, where: place === "wire" ? "h1" : "h2" }];
      }),
    );
  }

  get pids(): { readonly up: number; readonly far: number } {
    return { up: this.#up!.pid!, far: this.#far!.pid! };
  }

  /** Ends everything that was started. */
  async close(): Promise<void> {
    for (const [child, place, state] of [
      [this.#up, "wire", join(this.#lab.folder, "state/host")],
      [this.#far, "far", join(this.#lab.folder, "far/state")],
    ] as const) {
      await stop(child);
      if (child) await finished(this.#spawn(place, ["host", "--end", "--yes", "--state", state]));
    }
  }

  /** A user's command, which must succeed. */
  async run(shows: readonly MethodName[], ...words: string[]): Promise<void> {
    await this.#finish(shows, words, words);
  }

  async #json<T>(shows: readonly MethodName[], ...words: string[]): Promise<T> {
    return JSON.parse(await this.#finish(shows, words, [...words, "--json"])) as T;
  }

  async #finish(shows: readonly MethodName[], shown: readonly string[], words: readonly string[]): Promise<string> {
    const fromMs = Date.now();
    const { code, stdout, stderr } = await finished(this.#spawn("wire", words));
    if (code !== 0) throw new Error(`nfactor ${words.join(" ")}: exit code ${code}\n${stdout}${stderr}\n${this.#said}`);
    this.commands.push({ words: `nfactor ${shown.map((word) => quoted(this.#withoutFolder(word))).join(" ")}`, fromMs, toMs: Date.now(), shows });
    return stdout;
  }

  /** h2 joins; then it is started anew knowing one more authority than the controller has, as one that was away while an old one was retired. */
  async #join(): Promise<void> {
    const { token } = await this.#json<{ token: string }>([], "hosts", "token", "h2");
    const fromMs = Date.now();
    const words = ["host", "--controller", RPC, "--agent", AGENT, "--agent-iface", "between", "--state", join(this.#lab.folder, "far/state")];
    this.#far = this.#start("far", [...words, "--join", token]);
    await this.#connected();
    this.commands.push({ words: `nfactor host --controller ${RPC} --join nfj1.…`, fromMs, toMs: Date.now(), shows: ["join"] });
    await stop(this.#far);
    const file = join(this.#lab.folder, "far/state/identity.json");
    const identity = JSON.parse(readFileSync(file, "utf8")) as { authorities: string[] };
    identity.authorities.push(oldAuthority());
    writeFileSync(file, JSON.stringify(identity), { mode: 0o600 });
    this.#far = this.#start("far", words);
    for (const end = Date.now() + READY_MS; Date.now() < end; await pause(100)) if (this.lines().some(({ method }) => method === "renew")) break;
    await this.#connected();
  }

  async #connected(): Promise<void> {
    type Hosts = { hosts: { name: string; connected: boolean }[] };
    for (const end = Date.now() + READY_MS; Date.now() < end; await pause(200)) {
      const { hosts } = await this.#json<Hosts>([], "hosts");
      if (hosts.some(({ name, connected }) => name === "h2" && connected)) return;
    }
    throw new Error(`h2 has not connected:\n${this.#said}`);
  }

  async #until(what: string, isSo: (one: DeploymentJson) => unknown): Promise<void> {
    let last: DeploymentJson | undefined;
    for (const end = Date.now() + READY_MS; Date.now() < end; await pause(300)) if (isSo((last = await this.deployment()))) return;
    throw new Error(`${what}: it did not come to that\n${JSON.stringify(last, null, 1)}\n${this.#said}`);
  }

  #start(place: "wire" | "far", words: readonly string[]): ChildProcess {
    const child = this.#spawn(place, words);
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk: Buffer) => (this.#said = (this.#said + chunk.toString()).slice(-20_000)));
    return child;
  }

  #spawn(place: "wire" | "far", words: readonly string[]): ChildProcess {
    return this.#lab.spawn(place, process.execPath, [NFACTOR, ...words], { env: this.#env[place] });
  }

  #withoutFolder(word: string): string {
    return word.startsWith(`${this.#lab.folder}/`) ? word.slice(this.#lab.folder.length + 1) : word;
  }
}

const quoted = (word: string): string => (/^[\w@.,:/=<>-]+$/.test(word) ? word : `'${word}'`);

async function stop(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

/** A certificate of nobody. */
function oldAuthority(): string {
  const args = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    "/dev/null",
    "-subj",
    "/CN=old",
    "-days",
    "30",
  ];
  return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}
