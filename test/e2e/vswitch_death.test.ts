/**
 * The vswitch of a tenant dies under a thousand live TCP connections through NAT and load balancer, and another one takes its place: every connection goes on
 * with the right bytes, keeps its public port and its backend, and the books are exact. How long the traffic was silent is printed. Needs root, as CI has.
 */
import { readFileSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { isWhole } from "./testing/members.ts";
import { Streams } from "./testing/streams.ts";
import { SurvivalLab, assertKept, booksOf } from "./testing/survival_lab.ts";

const CONNECTIONS = Number(process.env["NF_SURVIVAL_CONNECTIONS"] ?? 1000);
const SEED = Number(process.env["NF_SURVIVAL_SEED"] ?? Date.now() % 1_000_000);
const EVERY_MS = 200;
/** What a vswitch hands to a port at once. */
const BURST = 64;

/** The words of a process behind its name. */
const commandOf = (pid: number | string): string[] => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(1);
/** The process that waits to be the next vswitch. */
async function standbyBeside(spec: string): Promise<number> {
  for (;;) {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const [word, room] = commandOf(pid);
        if (word === "standby" && room !== undefined && dirname(room) === dirname(spec)) return Number(pid);
      } catch {
        // It has ended meanwhile.
      }
    }
    await pause(50);
  }
}

console.log(`seed ${SEED}; NF_SURVIVAL_SEED=${SEED} repeats it`);

describeAsRoot("the vswitch dies", () => {
  let lab: SurvivalLab;
  beforeEach(() => {
    lab = new SurvivalLab();
  });
  afterEach(() => lab.close());

  test.each([0, 1])(
    `${CONNECTIONS} connections with %i replicas: killed, its successor killed, and, where there are replicas, once more together with a runtime`,
    { timeout: 150_000 },
    async (replicas) => {
      await lab.start({ name: `switch${replicas}`, runtimes: 3, replicas, observers: ["http_parser"] });
      const streams = await Streams.open(lab.wire, { connections: CONNECTIONS, seed: SEED, everyMs: EVERY_MS });
      await lab.members.protected();
      const printed: string[] = [];
      const observe = async (what: string, happens: () => Promise<unknown>): Promise<void> => {
        streams.mark();
        await happens();
        await pause(1500);
        const { median, p99, max } = await streams.silence();
        printed.push(`${what}: longest silence of a connection ${median} ms (median), ${p99} ms (99 of 100), ${max} ms (longest)`);
      };
      await observe("the vswitch killed", () => lab.members.kill(0));
      await observe("the next one killed", () => lab.members.kill(0));
      if (replicas > 0) {
        const { pid } = await lab.members.of(1);
        await observe("vswitch and a runtime killed", async () => {
          process.kill(pid!, "SIGKILL");
          await lab.members.kill(0);
          await lab.members.until("the runtime comes back", (all) => isWhole(all) && all[1]!.pid !== pid);
          await lab.members.protected();
        });
      }
      const [vswitch] = await lab.members.all();
      expect(vswitch).toMatchObject({ state_lost: 0, restarts: replicas > 0 ? 3 : 2 });
      await assertKept(lab, await streams.end());
      const result = await lab.stop({ takes: false });
      expect(result.packets.maybe_sent ?? 0).toBeLessThanOrEqual(BURST * vswitch!.restarts!);
      console.log([...printed, booksOf(result)].join("\n"));
    },
  );

  test("numbered packets: after a kill all flows are the same ones, nothing comes twice or late, and what was taken is in the books", async () => {
    await lab.start({ name: "numbered", runtimes: 2, replicas: 0, observers: ["flow_monitor"] });
    const traffic = await NumberedFlows.start(lab.wire.lab, { flows: 60, everyMs: 5 });
    await pause(1000);
    const [, specOfDead] = commandOf((await lab.members.of(0)).pid!);
    const standby = await standbyBeside(specOfDead!);
    await lab.members.kill(0);
    await lab.members.until("the one that waited works", (all) => isWhole(all) && all[0]!.pid === standby);
    // Named as every vswitch is, so that another supervisor finds it.
    const [word, spec] = commandOf(standby);
    expect({ word, spec }).toEqual({ word: "vswitch", spec: expect.stringMatching(/\/m0\.\d+\.spec\.json$/) });
    expect(spec).not.toBe(specOfDead);
    await pause(1000);
    const { sent, lost, reordered, repeated, silenceMs } = await traffic.end();
    const result = await lab.stop({ takes: false });
    console.log(`silence ${silenceMs} ms at 5 ms a packet; ${lost} of ${sent} lost; ${booksOf(result)}`);
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    expect(result.flows.filter(({ key }) => key.protocol === "udp" && key.responder.address === lab.wire.lab.serverAddress)).toHaveLength(60);
  }, 60_000);

  test("one that hangs is replaced, and what it still had when it wakes up comes neither twice nor late", async () => {
    await lab.start({ name: "asleep", runtimes: 2, observers: ["flow_monitor"] });
    const traffic = await NumberedFlows.start(lab.wire.lab, { flows: 60, everyMs: 20 });
    const before = await lab.members.protected();
    process.kill(before[0]!.pid!, "SIGSTOP");
    await lab.members.until("another one has begun", (all) => isWhole(all) && all[0]!.pid !== before[0]!.pid);
    await lab.members.protected();
    const { reordered, repeated, silenceMs } = await traffic.end();
    const result = await lab.stop({ takes: false });
    console.log(`silence ${silenceMs} ms; ${booksOf(result)}`);
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    expect(result.flows.filter(({ key }) => key.protocol === "udp" && key.responder.address === lab.wire.lab.serverAddress)).toHaveLength(60);
  }, 60_000);
});
