/**
 * A small network of this process's own, for the demo and the end-to-end tests: three namespaces (client, wire, server) in a row. The client's and
 * the server's interfaces meet in the wire's namespace, where a host puts its chain between them. No address of the machine itself is touched.
 *
 *     client: veth0 10.77.0.1/24, fd77::1/64  ──  wire: left ┊ right  ──  server: veth0 10.77.0.2/24, fd77::2/64
 *
 * Everything is named after the process and removed by close(), which also runs when the process exits or is told to end. Needs root.
 */
import { type ChildProcess, type SpawnOptions, execFile, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const execFileAsync = promisify(execFile);
const ip = (...args: string[]): string => execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

export type Place = "client" | "wire" | "server" | "far";

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const KILLING_MS = 5_000;
let labs = 0;

export class NetworkLab {
  readonly folder: string;
  readonly clientAddress = "10.77.0.1";
  readonly serverAddress = "10.77.0.2";
  readonly serverAddress6 = "fd77::2";
  readonly farAddress = "10.78.0.2";
  /** Interfaces in the wire's namespace. */
  readonly clientIface = "left";
  readonly serverIface = "right";
  readonly #names: Record<Place, string>;
  readonly #children = new Set<ChildProcess>();
  readonly #onExit = (): void => this.close();
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.close();
    process.kill(process.pid, signal);
  };
  #closed = false;

  /** Throws when this process may not make namespaces, or `ip` or `ethtool` are missing; then nothing is left. */
  constructor() {
    const id = `nf${process.pid}x${++labs}`;
    this.#names = { client: `${id}-client`, wire: `${id}-wire`, server: `${id}-server`, far: `${id}-far` };
    this.folder = mkdtempSync(join(tmpdir(), "nfactor-lab-"));
    process.on("exit", this.#onExit);
    for (const signal of SIGNALS) process.once(signal, this.#onSignal);
    try {
      for (const place of ["client", "wire", "server"] as const) this.#make(place);
      this.#join("client", "left", "10.77.0.1/24", "fd77::1/64");
      this.#join("server", "right", "10.77.0.2/24", "fd77::2/64");
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #make(place: Place): void {
    ip("netns", "add", this.#names[place]);
    ip("-n", this.#names[place], "link", "set", "lo", "up");
  }

  /**
   * Another host, `far`, behind the wire's: one interface of each for the links of runtimes, `between`, which says nothing of its own, and one for the agent's
   * orders, `orders`, with addresses.
   *
   *     wire: between, orders 10.78.0.1/24  ══  far: between, orders 10.78.0.2/24
   */
  addFarHost(mtu: number): void {
    this.#make("far");
    const [wire, far] = [this.#names.wire, this.#names.far];
    for (const iface of ["between", "orders"]) ip("link", "add", iface, "netns", wire, "type", "veth", "peer", "name", iface, "netns", far);
    for (const [namespace, address] of [
      [wire, "10.78.0.1/24"],
      [far, this.farAddress + "/24"],
    ] as const) {
      ip("netns", "exec", namespace, "sysctl", "-qw", "net.ipv6.conf.between.disable_ipv6=1");
      ip("-n", namespace, "link", "set", "between", "mtu", String(mtu), "up");
      ip("-n", namespace, "addr", "add", address, "dev", "orders");
      ip("-n", namespace, "link", "set", "orders", "up");
    }
  }

  /** Pulls out and puts back the cable between the hosts, seen from the wire's. */
  setUp(iface: "between" | "orders", isUp: boolean): void {
    ip("-n", this.#names.wire, "link", "set", iface, isUp ? "up" : "down");
  }

  #join(place: "client" | "server", iface: string, address4: string, address6: string): void {
    const [end, wire] = [this.#names[place], this.#names.wire];
    ip("link", "add", "veth0", "netns", end, "type", "veth", "peer", "name", iface, "netns", wire);
    // Raw frames need real checksums and frames of wire size: what a NIC would do at the latest must be done before.
    for (const [namespace, device] of [
      [end, "veth0"],
      [wire, iface],
    ] as const) {
      execFileSync("ip", ["netns", "exec", namespace, "ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off"], {
        stdio: "pipe",
      });
    }
    // The wire's ends have no addresses and say nothing of their own.
    ip("netns", "exec", wire, "sysctl", "-qw", `net.ipv6.conf.${iface}.disable_ipv6=1`);
    ip("netns", "exec", end, "sysctl", "-qw", "net.ipv6.conf.veth0.accept_dad=0");
    ip("-n", wire, "link", "set", iface, "up");
    ip("-n", end, "addr", "add", address4, "dev", "veth0");
    ip("-n", end, "addr", "add", address6, "dev", "veth0", "nodad");
    ip("-n", end, "link", "set", "veth0", "up");
  }

  /** From now on the ends send nothing of their own: no IPv6, and who has which address is not asked. For tests that count frames. */
  silence(): void {
    const ends = ["client", "server"] as const;
    const macs = ends.map((end) => (JSON.parse(ip("-j", "-n", this.#names[end], "link", "show", "veth0")) as [{ address: string }])[0].address);
    ends.forEach((end, i) => {
      const other = [this.serverAddress, this.clientAddress][i]!;
      ip("netns", "exec", this.#names[end], "sysctl", "-qw", "net.ipv6.conf.veth0.disable_ipv6=1");
      ip("-n", this.#names[end], "neigh", "replace", other, "lladdr", macs[1 - i]!, "dev", "veth0", "nud", "permanent");
    });
  }

  /** Lets the server's kernel find `address` (that of a NAT, say) behind the wire at the client's MAC address. */
  routeToClient(address: string): void {
    const [{ address: mac }] = JSON.parse(ip("-j", "-n", this.#names.client, "link", "show", "veth0")) as [{ address: string }];
    ip("-n", this.#names.server, "route", "replace", `${address}/32`, "dev", "veth0");
    ip("-n", this.#names.server, "neigh", "replace", address, "lladdr", mac, "dev", "veth0", "nud", "permanent");
  }

  /** At most so many bytes on their way to the client on one connection: on a wire this short, more would only lie in queues. */
  limitWindow(bytes: number): void {
    ip("netns", "exec", this.#names.client, "sysctl", "-qw", `net.ipv4.tcp_rmem=4096 65536 ${bytes}`);
  }

  /** Starts a command in a namespace; close() ends it if it still runs. */
  spawn(place: Place, command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn("ip", ["netns", "exec", this.#names[place], command, ...args], { stdio: ["ignore", "pipe", "pipe"], ...options });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }

  /** Runs a command in a namespace to its end; a failure is a result, not an exception. Ends it after `timeoutMs`. */
  async run(
    place: Place,
    command: string,
    args: readonly string[],
    timeoutMs = 60_000,
    where: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
  ): Promise<Finished> {
    try {
      const options = { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: 64 << 20, encoding: "utf8", ...where } as const;
      return { code: 0, ...(await execFileAsync("ip", ["netns", "exec", this.#names[place], command, ...args], options)) };
    } catch (error) {
      const failed = error as { code?: number | string; stdout?: string; stderr?: string; message: string };
      return { code: typeof failed.code === "number" ? failed.code : 1, stdout: failed.stdout ?? "", stderr: failed.stderr ?? failed.message };
    }
  }

  /**
   * nginx in the server's namespace on ports 80 and 8080, IPv4 and IPv6: /hello (text), /moved (redirect), /missing (404), and the files that are
   * put into `www` of the lab's folder.
   */
  async startNginx(): Promise<string> {
    const root = join(this.folder, "nginx");
    const www = join(this.folder, "www");
    mkdirSync(root, { recursive: true });
    mkdirSync(www, { recursive: true });
    const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${root}/${kind};`).join(" ");
    const conf = `daemon off; pid ${root}/pid; error_log ${root}/error.log; worker_processes 1; user root;
events { worker_connections 256; }
http { access_log off; ${temp} sendfile on;
  server { listen 80; listen 8080; listen [::]:80; root ${www}; keepalive_requests 100000;
    location = /hello { default_type text/plain; return 200 "hello through the chain\\n"; }
    location = /moved { return 301 /hello; } } }`;
    writeFileSync(join(root, "nginx.conf"), conf);
    this.spawn("server", "nginx", ["-p", root, "-c", join(root, "nginx.conf")], { stdio: "ignore" });
    for (let i = 0; i < 100; i++) {
      const probe = await this.run("server", "curl", ["-s", "-o", "/dev/null", `http://${this.serverAddress}/hello`], 5_000);
      if (probe.code === 0) return www;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error("nginx did not start");
  }

  /** Ends what runs in the namespaces, removes them and the folder. May be called again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    process.off("exit", this.#onExit);
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    for (const child of this.#children) child.kill("SIGTERM");
    for (const name of Object.values(this.#names)) {
      try {
        killAllIn(name);
        ip("netns", "del", name);
      } catch {
        // It was never made, or is gone already.
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Who is killed may have started others meanwhile, and takes a moment to be gone. */
function killAllIn(namespace: string): void {
  for (const end = performance.now() + KILLING_MS; performance.now() < end;) {
    const pids = ip("netns", "pids", namespace).split("\n").filter(Boolean);
    if (pids.length === 0) return;
    for (const pid of pids) kill(Number(pid));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
