/**
 * Thousands of TCP connections, and UDP flows beside them, through NAT and load balancer while runtimes die: each keeps its public address and port and its
 * backend, also where a new connection would get another one, since the set of backends has changed. A TCP connection breaks when they change; of a UDP flow the
 * server sees it. Needs root, as CI has.
 *   NF_KEPT_CONNECTIONS=10000 npx vitest run test/e2e/kept_mappings.test.ts      for more of them
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Askers, type Told } from "./testing/askers.ts";
import { CLIENTS, PUBLIC, after, balancer } from "./testing/balanced_lab.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { tableOf } from "./testing/promises.ts";
import { SurvivalLab, booksOf, flowsOf } from "./testing/survival_lab.ts";

/** TCP; a fifth as many UDP flows are beside them. */
const CONNECTIONS = Number(process.env["NF_KEPT_CONNECTIONS"] ?? 4_000);
describeAsRoot("NAT mappings and backends", () => {
  let lab: SurvivalLab;
  beforeEach(() => {
    lab = new SurvivalLab();
  });
  afterEach(() => lab.close());

  /** Opens that many, and then changes the set of backends: who is given one anew gets another. */
  const open = async (tcp: number, options: { name: string; replicas?: number; mode?: "hold" | "relay" }): Promise<Askers> => {
    const udp = Math.round(tcp / 5);
    await lab.start({ runtimes: 3, flowsMax: 2 * (tcp + udp), ...options });
    const askers = await Askers.open(lab.wire, { tcp, udp });
    expect(new Set(askers.first.map(({ protocol, peer }) => `${protocol} ${peer}`)).size).toBe(tcp + udp);
    const changed = join(lab.wire.lab.folder, "changed.json");
    writeFileSync(changed, JSON.stringify(balancer(after)));
    await lab.host.swap("load_balancer", "load_balancer", "--config", changed);
    await lab.members.protected();
    return askers;
  };
  const changes = ({ first }: Askers, now: readonly Told[]): { of: number; changed: number; broken: number } => ({
    of: now.length,
    changed: now.filter(({ peer, backend, error }, i) => error === undefined && (peer !== first[i]!.peer || backend !== first[i]!.backend)).length,
    broken: now.filter(({ error }) => error !== undefined).length,
  });

  test.each([
    ["hold", CONNECTIONS],
    ["relay", Math.round(CONNECTIONS / 5)],
  ] as const)(
    "%s: those of %i connections are the same after a runtime was killed in the middle of questions, and then one of its heirs",
    async (mode, tcp) => {
      const askers = await open(tcp, { name: mode, mode });
      const all = { of: askers.first.length, changed: 0, broken: 0 };
      let died = 0;
      for (const runtime of [1, 2]) {
        died += (await lab.members.of(runtime)).flows;
        let took = 0;
        const during = await askers.again(async () => (took = await lab.members.kill(runtime)));
        expect(changes(askers, during), `while runtime ${runtime} was dead`).toEqual(all);
        expect(changes(askers, await askers.again()), `after runtime ${runtime} had died`).toEqual(all);
        console.log(`${mode}: runtime ${runtime} killed, all protected again after ${Math.round(took)} ms`);
      }
      const [vswitch] = await lab.members.all();
      expect(died).toBeGreaterThan(tcp / 3);
      expect(vswitch!.recovered).toBeGreaterThanOrEqual(died);
      expect(vswitch!.state_lost).toBe(0);
      const table = tableOf([...(await flowsOf(lab, "tcp")), ...(await flowsOf(lab, "udp"))]);
      const other = askers.first.filter(({ protocol, client, peer, backend }) => {
        const entry = table.get(`${protocol} ${client}`);
        return entry?.public !== peer || entry?.backend !== backend;
      });
      expect(other.slice(0, 5), `of ${other.length} connections the state of their flow says other things than the servers`).toEqual([]);
      for (const { peer } of askers.first) expect(peer!.startsWith(`${PUBLIC}:`)).toBe(true);
      console.log(`${mode}: ${booksOf(await lab.stop())}`);
    },
    300_000,
  );

  test("without replicas those of the dead runtime are lost, which these questions show", async () => {
    const askers = await open(500, { name: "forgets", replicas: 0 });
    const died = (await lab.members.flows(CONNECTIONS)).flows.filter(({ runtime }) => runtime === 1).map(({ key }) => key);
    const of = (protocol: string): number => died.filter((key) => key.protocol === protocol && CLIENTS.includes(key.initiator.address)).length;
    await lab.members.kill(1);
    expect(Math.min(of("tcp"), of("udp"))).toBeGreaterThan(0);
    expect(changes(askers, await askers.again())).toEqual({ of: askers.first.length, changed: of("udp"), broken: of("tcp") });
  }, 120_000);
});
