/**
 * The same TCP connections and UDP flows through nfactor (nat44, load_balancer) and through the kernel's own NAT (nftables, conntrack), while the set of
 * backends changes under them: both have to keep the same promises. Needs root, as CI has.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { LiveHost } from "../../scripts/lib/live_host.ts";
import { BalancedLab, type Observed, after, balancedChain, balancer, before } from "./testing/balanced_lab.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { keepsItsPromises, shares, tableOf } from "./testing/promises.ts";

/** TCP connections, and as many UDP flows, in each of two sets. */
const COUNT = 400;

describeAsRoot("a service behind NAT and load balancer", () => {
  let wire: BalancedLab;
  const seen: Record<string, Observed[]> = {};
  beforeEach(async () => {
    wire = new BalancedLab();
    await wire.start();
  });
  afterEach(() => wire.close());
  afterAll(() => console.log(comparison(seen)));

  test("through nfactor", async () => {
    await wire.joinDirectly();
    const [config, changed] = [join(wire.lab.folder, "nfactor.yaml"), join(wire.lab.folder, "changed.json")];
    writeFileSync(config, JSON.stringify({ apiVersion: "nfactor/v1", chain: balancedChain(before) }));
    writeFileSync(changed, JSON.stringify(balancer(after)));
    const host = await LiveHost.start(wire.lab, "balanced", ["--config", config]);
    await wire.openConnections(COUNT);
    const swap = await host.swap("load_balancer", "load_balancer", "--config", changed);
    expect(swap.packets_dropped).toBe(0);
    seen["nfactor"] = await wire.goOn();
    const table = tableOf((await host.flows("--limit", "10000")).flows);
    keepsItsPromises(seen["nfactor"], table, COUNT);
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
    keepsItsPromises(seen["kernel"], await wire.kernelTable(), COUNT);
  }, 120_000);
});

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
