/**
 * The same TCP connections and UDP flows through nfactor (nat44, load_balancer) and through the kernel's own NAT (nftables, conntrack), while the set of
 * backends changes under them: both have to keep the same promises. Needs root, as CI has.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { LiveHost } from "../../scripts/lib/live_host.ts";
import {
  BACKEND_PORTS,
  BalancedLab,
  type BackendWeight,
  type Observed,
  PUBLIC,
  SERVICE,
  type Translation,
  after,
  before,
  isOffered,
} from "./testing/balanced_lab.ts";

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log("skipped: live tests need root for network namespaces");

/** TCP connections, and as many UDP flows, in each of two sets. */
const COUNT = 400;

describe.skipIf(!isRoot)("a service behind NAT and load balancer", () => {
  let wire: BalancedLab;
  const seen: Record<string, Observed[]> = {};
  beforeEach(async () => {
    wire = new BalancedLab();
    await wire.start();
  });
  afterEach(() => wire.close());
  afterAll(() => console.log(comparison(seen)));

  const balancer = (backends: BackendWeight[]): object => ({
    services: (["tcp", "udp"] as const).map((protocol) => ({
      addresses: [SERVICE.address],
      protocol,
      port: SERVICE[protocol],
      backends: backends.map((backend) => ({ ...backend, port: BACKEND_PORTS[protocol] })),
    })),
  });

  test("through nfactor", async () => {
    await wire.joinDirectly();
    const [config, changed] = [join(wire.lab.folder, "nfactor.yaml"), join(wire.lab.folder, "changed.json")];
    const chain = [
      { nf: "nat44", grant: { edit: "headers" }, lease: { size: 64_512 }, config: { addresses: [PUBLIC] } },
      { nf: "load_balancer", grant: { edit: "headers" }, config: balancer(before) },
    ];
    writeFileSync(config, JSON.stringify({ apiVersion: "nfactor/v1", chain }));
    writeFileSync(changed, JSON.stringify(balancer(after)));
    const host = await LiveHost.start(wire.lab, "balanced", ["--config", config]);
    await wire.openConnections(COUNT);
    const swap = await host.swap("load_balancer", "load_balancer", "--config", changed);
    expect(swap.packets_dropped).toBe(0);
    seen["nfactor"] = await wire.goOn();
    const table = new Map<string, Translation>();
    for (const { key, nfs } of (await host.flows("--limit", "10000")).flows) {
      const [nat, lb] = [nfs["nat44"], nfs["load_balancer"]];
      if (!nat || !lb || key.responder.address !== SERVICE.address) continue;
      table.set(`${key.protocol} ${key.initiator.address}:${key.initiator.port}`, {
        public: `${dotted(nat["outsideAddress"])}:${String(nat["outsidePort"])}`,
        backend: `${dotted(lb["backendAddress"])}:${String(lb["backendPort"])}`,
      });
    }
    keepsItsPromises(seen["nfactor"], table);
    const { packets, faults } = await host.stop();
    expect(faults).toEqual([]);
    expect(Object.keys(packets.dropped)).toEqual([]);
    expect(packets.received).toBe(packets.sent);
  }, 120_000);

  test("through the kernel's nftables and conntrack", async (context) => {
    await wire.joinByRouter();
    const why = await wire.loadRules(before);
    if (why !== undefined) {
      console.log(`skipped: this kernel or this machine has no nftables for NAT; 'nft -f' says: ${why}`);
      return context.skip();
    }
    await wire.openConnections(COUNT);
    expect(await wire.loadRules(after)).toBeUndefined();
    seen["kernel"] = await wire.goOn();
    keepsItsPromises(seen["kernel"], await wire.kernelTable());
  }, 120_000);
});

const dotted = (address: unknown): string => [24, 16, 8, 0].map((shift) => (Number(address) >>> shift) & 255).join(".");
const nameOf = ({ protocol, client }: Observed): string => `${protocol} ${client}`;

function keepsItsPromises(connections: readonly Observed[], table: ReadonlyMap<string, Translation>): void {
  expect(connections.length).toBe(4 * COUNT);
  const taken = new Set<string>();
  for (const connection of connections) {
    const { protocol, set, answers } = connection;
    const name = nameOf(connection);
    expect(answers, name).toHaveLength(set === "before" ? 3 : 2);
    const { backend, peer } = answers[0]!;
    for (const answer of answers) expect(answer, name).toEqual({ backend, peer, from: `${SERVICE.address}:${SERVICE[protocol]}` });
    const [address, port] = peer.split(":");
    expect(address, name).toBe(PUBLIC);
    expect(Number(port), name).toBeGreaterThanOrEqual(1024);
    const offered = (set === "before" ? before : after).filter(isOffered).map((b) => `${b.address}:${BACKEND_PORTS[protocol]}`);
    expect(offered, name).toContain(backend);
    // All are open at once: to a backend, one public address and port is one connection.
    const ends = `${protocol} ${peer} > ${backend}`;
    expect(taken.has(ends), `${name}: ${ends} is another's too`).toBe(false);
    taken.add(ends);
    expect(table.get(name), name).toEqual({ public: peer, backend });
  }
  for (const set of ["before", "after"] as const) {
    for (const { address, part, wanted } of shares(connections, set)) {
      // Six standard deviations, and what 65,537 slots may be dealt out unevenly.
      const total = 2 * COUNT;
      expect(Math.abs(part - wanted) * total, `${address}, ${set}`).toBeLessThanOrEqual(6 * Math.sqrt(total * wanted * (1 - wanted)) + 0.01 * total);
    }
  }
}

/** Which part of the connections each backend got, and which it should get by its weight. */
function shares(connections: readonly Observed[], set: Observed["set"]): { address: string; part: number; wanted: number }[] {
  const backends = set === "before" ? before : after;
  const ofSet = connections.filter((connection) => connection.set === set);
  const sum = backends.filter(isOffered).reduce((total, { weight }) => total + weight, 0);
  return backends.map((backend) => ({
    address: backend.address,
    part: ofSet.filter(({ answers }) => answers[0]!.backend.startsWith(`${backend.address}:`)).length / ofSet.length,
    wanted: isOffered(backend) ? backend.weight / sum : 0,
  }));
}

function comparison(seen: Readonly<Record<string, Observed[]>>): string {
  const names = Object.keys(seen);
  const percent = (part: number): string => `${(100 * part).toFixed(1)} %`.padStart(9);
  const lines = [`${"".padEnd(30)}${"by weight".padStart(9)}${names.map((name) => name.padStart(10)).join("")}`];
  for (const set of ["before", "after"] as const) {
    before.forEach(({ address }, i) => {
      const parts = names.map((name) => shares(seen[name]!, set)[i]!);
      lines.push(`${`${set} the change, ${address}`.padEnd(30)}${percent(parts[0]?.wanted ?? 0)}${parts.map(({ part }) => ` ${percent(part)}`).join("")}`);
    });
  }
  const count = (of: (connections: Observed[]) => number): string => names.map((name) => String(of(seen[name]!)).padStart(10)).join("");
  lines.push(`${"connections and flows".padEnd(39)}${count((all) => all.length)}`);
  lines.push(
    `${"that kept backend and port".padEnd(39)}${count((all) => all.filter(({ answers }) => new Set(answers.map((a) => a.backend + a.peer)).size === 1).length)}`,
  );
  lines.push(`${"public ports".padEnd(39)}${count((all) => new Set(all.map(({ answers }) => answers[0]!.peer)).size)}`);
  lines.push(`${"datagrams sent again".padEnd(39)}${count((all) => all.reduce((sum, { resends }) => sum + resends, 0))}`);
  return lines.join("\n");
}
