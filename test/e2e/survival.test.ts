/**
 * A thousand live TCP connections through four NFs with state while processes of the tenant are killed: all of them go on with the right bytes, and their
 * states with the right values. How long the traffic was silent is printed. Needs root, as CI has.
 *   NF_SURVIVAL_CONNECTIONS=5000 npx vitest run test/e2e/survival.test.ts      for more of them
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tcpCounters } from "../../scripts/lib/tcp_counters.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { isWhole } from "./testing/members.ts";
import { Streams } from "./testing/streams.ts";
import { SurvivalLab, booksOf, assertKept } from "./testing/survival_lab.ts";

const CONNECTIONS = Number(process.env["NF_SURVIVAL_CONNECTIONS"] ?? 1000);
const SEED = Number(process.env["NF_SURVIVAL_SEED"] ?? Date.now() % 1_000_000);
const EVERY_MS = 200;
const OBSERVERS = ["flow_monitor", "http_parser"];

console.log(`seed ${SEED}; NF_SURVIVAL_SEED=${SEED} repeats it`);

describeAsRoot(`${CONNECTIONS} connections`, () => {
  let lab: SurvivalLab;
  beforeEach(() => {
    lab = new SurvivalLab();
  });
  afterEach(() => lab.close());

  const printed: string[] = [];
  const retransmitted = async (): Promise<number> => {
    const [client, server] = await Promise.all([tcpCounters(lab.wire.lab, "client"), tcpCounters(lab.wire.lab, "server")]);
    return client.retransmitted + server.retransmitted;
  };
  /** What the connections notice of `happens`. */
  const observe = async (streams: Streams, what: string, happens: () => Promise<unknown>): Promise<void> => {
    const before = await retransmitted();
    streams.mark();
    const took = await happens();
    const { median, p99, max } = await streams.silence();
    const again = (await retransmitted()) - before;
    const whole = typeof took === "number" ? `, all protected again after ${Math.round(took)} ms` : "";
    printed.push(
      `${what}: longest silence of a connection ${median} ms (median), ${p99} ms (99 of 100), ${max} ms (longest); ${again} segments sent again${whole}`,
    );
  };

  test("a runtime is killed, then one that inherited its flows, then one that only keeps replicas, then the supervisor", async () => {
    await lab.start({ name: "survive", runtimes: 3, observers: OBSERVERS });
    const streams = await Streams.open(lab.wire, { connections: CONNECTIONS, seed: SEED, everyMs: EVERY_MS });
    await lab.members.protected();
    await observe(streams, "nobody killed", () => pause(2000));

    await observe(streams, "a runtime killed", () => lab.members.kill(1));
    expect((await lab.members.of(0)).recovered).toBeGreaterThanOrEqual(Math.floor(CONNECTIONS / 3) - 5);
    await observe(streams, "its heir killed", () => lab.members.kill(2));
    expect((await lab.members.of(0)).recovered).toBeGreaterThanOrEqual(Math.floor((CONNECTIONS / 3) * 2) - 10);

    await lab.host.json("drain", "3");
    await lab.members.protected();
    expect(await lab.members.of(3)).toMatchObject({ flows: 0 });
    expect((await lab.members.of(3)).replicas).toBeGreaterThan(0);
    await observe(streams, "one with replicas only killed", () => lab.members.kill(3));
    await lab.host.json("undrain", "3");
    await lab.members.protected();

    const all = await lab.members.all();
    await lab.replaceSupervisor(() => observe(streams, "the supervisor killed, nobody in its place", () => pause(2000)));
    const after = await lab.members.until("they are taken over", isWhole);
    expect(after.map(({ pid, restarts }) => ({ pid, restarts }))).toEqual(all.map(({ pid, restarts }) => ({ pid, restarts })));
    await observe(streams, "a runtime killed under the next supervisor", () => lab.members.kill(1));

    const [vswitch] = await lab.members.all();
    expect(vswitch!.state_lost).toBe(0);
    await assertKept(lab, await streams.end());
    const result = await lab.stop();
    console.log([...printed.splice(0), booksOf(result)].join("\n"));
  }, 150_000);
});
