/**
 * A lab whose clients use a service, and whose server's namespace holds the backends. What lies in the wire translates: the client's addresses to one public
 * one, the service to backends; either nfactor (nat44, load_balancer), which is a bump in the wire, or the wire's kernel as a router with nftables.
 */
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Interface, createInterface } from "node:readline";
import { NetworkLab, type Place } from "../../../scripts/lib/network_lab.ts";

export interface BackendWeight {
  address: string;
  weight: number;
  healthy: boolean;
}

export interface Observed {
  protocol: "tcp" | "udp";
  /** Opened before or after the set of backends changed; `brief`: after, and closed again. */
  set: "before" | "after" | "brief";
  /** address:port, as all that follow. */
  client: string;
  answers: { backend: string; peer: string; from: string }[];
  resends: number;
}

/** Configuration of the load balancer with these backends. */
export const balancer = (backends: readonly BackendWeight[]): object => ({
  services: (["tcp", "udp"] as const).map((protocol) => ({
    addresses: [SERVICE.address],
    protocol,
    port: SERVICE[protocol],
    backends: backends.map((backend) => ({ ...backend, port: BACKEND_PORTS[protocol] })),
  })),
});

/** The chain of the published figures, without its firewall. */
export const balancedChain = (backends: readonly BackendWeight[]): object[] => [
  { nf: "nat44", grant: { edit: "headers" }, lease: { size: 64_512 }, config: { addresses: [PUBLIC] } },
  { nf: "load_balancer", grant: { edit: "headers" }, config: balancer(backends) },
];

/** Who a connection was, by the table of what translated it. */
export interface Translation {
  public: string;
  backend: string;
}

const SCRIPTS = new URL("./", import.meta.url).pathname;
export const SERVICE = { address: "198.51.100.1", tcp: 80, udp: 53 } as const;
export const BACKEND_PORTS = { tcp: 8080, udp: 5353 } as const;
export const PUBLIC = "192.0.2.1";
export const CLIENTS = ["10.77.0.1", "10.77.0.101", "10.77.0.102", "10.77.0.103"];

export const before: BackendWeight[] = [
  { address: "10.77.0.11", weight: 1, healthy: true },
  { address: "10.77.0.12", weight: 2, healthy: true },
  { address: "10.77.0.13", weight: 3, healthy: true },
  { address: "10.77.0.14", weight: 2, healthy: true },
  { address: "10.77.0.15", weight: 4, healthy: false },
  { address: "10.77.0.16", weight: 0, healthy: true },
];
/** One falls ill, one is drained, one comes back. */
export const after: BackendWeight[] = before.map((backend) => ({
  ...backend,
  healthy: backend.address !== "10.77.0.12",
  weight: backend.address === "10.77.0.13" ? 0 : backend.weight,
}));
export const isOffered = ({ weight, healthy }: BackendWeight): boolean => healthy && weight > 0;

export class BalancedLab {
  readonly lab = new NetworkLab();
  #clients: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;

  close(): void {
    this.lab.close();
  }

  async #must(place: Place, command: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.lab.run(place, command, args);
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} in the ${place}'s namespace: ${stderr}`);
    return stdout;
  }

  async #macOf(place: Place, device: string): Promise<string> {
    const [{ address }] = JSON.parse(await this.#must(place, "ip", "-j", "link", "show", device)) as [{ address: string }];
    return address;
  }

  /** In this namespace the address lies behind this device, at this MAC address. */
  async #route(place: Place, address: string, device: string, mac: string): Promise<void> {
    await this.#must(place, "ip", "route", "replace", `${address}/32`, "dev", device);
    await this.#must(place, "ip", "neigh", "replace", address, "lladdr", mac, "dev", device, "nud", "permanent");
  }

  /** Addresses of clients and backends. */
  async addAddresses(): Promise<void> {
    for (const address of CLIENTS.slice(1)) await this.#must("client", "ip", "addr", "add", `${address}/24`, "dev", "veth0");
    for (const { address } of before) await this.#must("server", "ip", "addr", "add", `${address}/24`, "dev", "veth0");
  }

  /** Addresses of clients and backends, and the servers. */
  async start(): Promise<void> {
    await this.addAddresses();
    await this.startServers();
  }

  /** They answer everything with who was asked, and by whom. */
  async startServers(): Promise<void> {
    const options = { addresses: before.map(({ address }) => address), ...BACKEND_PORTS };
    const servers = this.lab.spawn("server", process.execPath, [join(SCRIPTS, "servers.mjs"), JSON.stringify(options)]);
    const lines = createInterface({ input: servers.stdout! })[Symbol.asyncIterator]();
    if ((await lines.next()).value !== "listening") throw new Error("the servers did not start");
  }

  /** For a bump in the wire: both sides are neighbours. */
  async joinDirectly(): Promise<void> {
    await this.#route("client", SERVICE.address, "veth0", await this.#macOf("server", "veth0"));
    this.lab.routeToClient(PUBLIC);
  }

  /** The wire's kernel forwards between the two sides. */
  async joinByRouter(): Promise<void> {
    const { clientIface, serverIface } = this.lab;
    for (const setting of [
      "net.ipv4.ip_forward=1",
      "net.ipv4.conf.all.rp_filter=0",
      `net.ipv4.conf.${clientIface}.rp_filter=0`,
      `net.ipv4.conf.${serverIface}.rp_filter=0`,
    ])
      await this.#must("wire", "sysctl", "-qw", setting);
    const [client, server] = [await this.#macOf("client", "veth0"), await this.#macOf("server", "veth0")];
    for (const address of CLIENTS) await this.#route("wire", address, clientIface, client);
    for (const { address } of before) await this.#route("wire", address, serverIface, server);
    await this.#route("client", SERVICE.address, "veth0", await this.#macOf("wire", clientIface));
    await this.#route("server", PUBLIC, "veth0", await this.#macOf("wire", serverIface));
  }

  /** Loads the kernel's rules for these backends in place of those before. Why it cannot, or undefined. */
  async loadRules(backends: readonly BackendWeight[]): Promise<string | undefined> {
    const slots = backends.filter(isOffered).flatMap(({ address, weight }) => Array<string>(weight).fill(address));
    const target = (protocol: "tcp" | "udp"): string => {
      const map = slots.map((address, i) => `${i} : ${address} . ${BACKEND_PORTS[protocol]}`).join(", ");
      const hash = `jhash ip saddr . ${protocol} sport mod ${slots.length} seed 0x5eed map { ${map} }`;
      return `ip daddr ${SERVICE.address} ${protocol} dport ${SERVICE[protocol]} dnat ip to ${hash}`;
    };
    const rules = `table ip balanced
delete table ip balanced
table ip balanced {
  chain prerouting { type nat hook prerouting priority dstnat; ${target("tcp")}; ${target("udp")}; }
  chain postrouting { type nat hook postrouting priority srcnat; oifname ${this.lab.serverIface} meta l4proto { tcp, udp } snat to ${PUBLIC}:1024-65535; }
}
`;
    const file = join(this.lab.folder, "rules.nft");
    writeFileSync(file, rules);
    const { code, stderr } = await this.lab.run("wire", "nft", ["-f", file]);
    return code === 0 ? undefined : stderr.trim();
  }

  /** The kernel's table of connections, by protocol and client. */
  async kernelTable(): Promise<Map<string, Translation>> {
    const table = new Map<string, Translation>();
    const text = await this.#must("wire", "conntrack", "-L");
    for (const line of text.split("\n")) {
      const match = /^(tcp|udp) .*?src=(\S+) dst=(\S+) sport=(\d+) dport=\d+ .*?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/.exec(line);
      if (match?.[3] !== SERVICE.address) continue;
      const [, protocol, client, , clientPort, backend, publicAddress, backendPort, publicPort] = match;
      table.set(`${protocol} ${client}:${clientPort}`, { public: `${publicAddress}:${publicPort}`, backend: `${backend}:${backendPort}` });
    }
    return table;
  }

  /**
   * Opens `count` TCP connections and as many UDP flows; resolves when all were answered. `goOn` will ask `rounds` times on each of them, and open `brief`
   * TCP connections that are closed again.
   */
  async openConnections(count: number, { rounds = 1, brief = 0 }: { rounds?: number; brief?: number } = {}): Promise<void> {
    const options = { service: SERVICE.address, tcp: SERVICE.tcp, udp: SERVICE.udp, clients: CLIENTS, count, rounds, brief };
    this.#clients = this.lab.spawn("client", process.execPath, [join(SCRIPTS, "clients.mjs"), JSON.stringify(options)], { stdio: ["pipe", "pipe", "pipe"] });
    let stderr = "";
    this.#clients.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const lines: Interface = createInterface({ input: this.#clients.stdout! });
    this.#lines = lines[Symbol.asyncIterator]();
    const { value } = await this.#lines.next();
    if (value !== "opened") throw new Error(`the clients failed: ${stderr}`);
    this.#clients.once("exit", () => {
      if (stderr !== "") console.log(stderr);
    });
  }

  /** Asks again on all of them, and opens as many new ones. They stay open until the lab closes, but for brief ones. */
  async goOn(): Promise<Observed[]> {
    this.#clients!.stdin!.write("\n");
    const { value, done } = await this.#lines!.next();
    if (done) throw new Error("the clients failed");
    return JSON.parse(value as string) as Observed[];
  }
}
