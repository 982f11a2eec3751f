/** What NAT and load balancer have promised each connection, judged by what its two ends saw and by the table of who translated. */
import { expect } from "vitest";
import type { FlowJson } from "../../../host/src/result/run_result.ts";
import { BACKEND_PORTS, type Observed, PUBLIC, SERVICE, type Translation, after, before, isOffered } from "./balanced_lab.ts";

const dotted = (address: unknown): string => [24, 16, 8, 0].map((shift) => (Number(address) >>> shift) & 255).join(".");
const nameOf = ({ protocol, client }: Observed): string => `${protocol} ${client}`;

/** By protocol and client, from the states of nat44 and load_balancer. */
export function tableOf(flows: readonly FlowJson[]): Map<string, Translation> {
  const table = new Map<string, Translation>();
  for (const { key, nfs } of flows) {
    const [nat, lb] = [nfs["nat44"], nfs["load_balancer"]];
    if (!nat || !lb || key.responder.address !== SERVICE.address) continue;
    table.set(`${key.protocol} ${key.initiator.address}:${key.initiator.port}`, {
      public: `${dotted(nat["outsideAddress"])}:${String(nat["outsidePort"])}`,
      backend: `${dotted(lb["backendAddress"])}:${String(lb["backendPort"])}`,
    });
  }
  return table;
}

export interface Expected {
  /** Times that each of the first set was asked again. */
  rounds?: number;
  brief?: number;
  /** Backends while the second set was opened. */
  then?: typeof before;
}

/** `count` TCP connections and as many UDP flows in each of two sets. */
export function keepsItsPromises(
  connections: readonly Observed[],
  table: ReadonlyMap<string, Translation>,
  count: number,
  { rounds = 1, brief = 0, then = after }: Expected = {},
): void {
  expect(connections.length).toBe(4 * count + brief);
  const taken = new Set<string>();
  for (const connection of connections) {
    const { protocol, set, answers } = connection;
    const name = nameOf(connection);
    expect(answers, name).toHaveLength(set === "before" ? 2 + rounds : 2);
    const { backend, peer } = answers[0]!;
    for (const answer of answers) expect(answer, name).toEqual({ backend, peer, from: `${SERVICE.address}:${SERVICE[protocol]}` });
    const [address, port] = peer.split(":");
    expect(address, name).toBe(PUBLIC);
    expect(Number(port), name).toBeGreaterThanOrEqual(1024);
    const offered = (set === "before" ? before : then).filter(isOffered).map((b) => `${b.address}:${BACKEND_PORTS[protocol]}`);
    expect(offered, name).toContain(backend);
    if (set === "brief") continue;
    // All are open at once: to a backend, one public address and port is one connection.
    const ends = `${protocol} ${peer} > ${backend}`;
    expect(taken.has(ends), `${name}: ${ends} is another's too`).toBe(false);
    taken.add(ends);
    expect(table.get(name), name).toEqual({ public: peer, backend });
  }
  for (const set of ["before", "after"] as const) {
    for (const { address, part, wanted } of shares(connections, set, then)) {
      // Six standard deviations, and what 65,537 slots may be dealt out unevenly.
      const total = 2 * count;
      expect(Math.abs(part - wanted) * total, `${address}, ${set}`).toBeLessThanOrEqual(6 * Math.sqrt(total * wanted * (1 - wanted)) + 0.01 * total);
    }
  }
}

/** Which part of the connections each backend got, and which it should get by its weight. */
export function shares(connections: readonly Observed[], set: "before" | "after", then = after): { address: string; part: number; wanted: number }[] {
  const backends = set === "before" ? before : then;
  const ofSet = connections.filter((connection) => connection.set === set);
  const sum = backends.filter(isOffered).reduce((total, { weight }) => total + weight, 0);
  return backends.map((backend) => ({
    address: backend.address,
    part: ofSet.filter(({ answers }) => answers[0]!.backend.startsWith(`${backend.address}:`)).length / ofSet.length,
    wanted: isOffered(backend) ? backend.weight / sum : 0,
  }));
}
