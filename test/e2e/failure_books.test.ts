/**
 * Whatever is killed or stopped, late output is fenced, nothing comes twice or out of order, and every packet is in the books: what the ends of numbered flows
 * miss is what was dropped by reason and lost in failure, to the packet. Needs root, as CI has.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { goneBy } from "./testing/members.ts";
import { SurvivalLab, booksOf } from "./testing/survival_lab.ts";

/** A process of which nothing is heard for 3 s is taken to hang; in half of that the interfaces' rings overflow. */
const STOPPED_MS = 1500;

describeAsRoot("numbered packets and the books", () => {
  let lab: SurvivalLab;
  beforeEach(() => {
    lab = new SurvivalLab();
  });
  afterEach(() => lab.close());

  /** SIGSTOP until something has happened, and SIGCONT when it lives still. */
  const stopUntil = async (pid: number, happened: Promise<unknown>): Promise<void> => {
    process.kill(pid, "SIGSTOP");
    await happened;
    try {
      process.kill(pid, "SIGCONT");
    } catch {
      // It was fenced, and killed for that.
    }
  };

  test("runtimes that are killed or stopped for a while, a vswitch that is stopped, a supervisor that is killed", async () => {
    await lab.start({ name: "books", runtimes: 3, observers: ["flow_monitor"] });
    const traffic = await NumberedFlows.start(lab.wire.lab, { flows: 60, everyMs: 20 });
    const before = await lab.members.protected();

    await lab.members.kill(1);
    const isTurnedAway = (): boolean => lab.host.messages.includes("runtime 2 is turned away from: it is silent");
    await stopUntil((await lab.members.of(2)).pid!, lab.members.until("runtime 2 is turned away from", isTurnedAway));
    await lab.members.until("runtime 2 is replaced", (all) => all[2]!.pid !== undefined && all[2]!.pid !== before[2]!.pid);
    expect(lab.host.messages).toContain(`runtime 2 (pid ${before[2]!.pid}) has died: SIGKILL; it is started again`);
    await lab.members.protected();
    await stopUntil((await lab.members.of(0)).pid!, pause(STOPPED_MS));
    const after = await lab.members.protected();
    expect(after[0]!.pid).toBe(before[0]!.pid);
    expect(after.map(({ state_lost }) => state_lost)).toEqual([0, 0, 0, 0]);
    expect(after[0]!.recovered).toBeGreaterThanOrEqual(40);
    await lab.replaceSupervisor(() => pause(500));
    await lab.members.protected();

    const { sent, lost, overflowed, reordered, repeated, silenceMs } = await traffic.end();
    const result = await lab.stop();
    console.log(`${lost} of ${sent} packets were not answered, and ${overflowed} for want of room in a socket; silence ${silenceMs} ms\n${booksOf(result)}`);
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    // What waited for the runtimes went to others.
    expect(Object.keys(result.packets.dropped)).not.toContain("shutdown");
    expect(lost).toBe(goneBy(result.packets));
  }, 150_000);

  test("a supervisor that is killed costs no packet", async () => {
    await lab.start({ name: "costless", runtimes: 2, observers: ["flow_monitor"] });
    const traffic = await NumberedFlows.start(lab.wire.lab, { flows: 60, everyMs: 50 });
    await lab.members.protected();
    await lab.replaceSupervisor(() => pause(500));
    await lab.members.protected();
    const { lost, reordered, repeated } = await traffic.end();
    const { packets } = await lab.stop();
    expect({ lost, reordered, repeated }).toEqual({ lost: 0, reordered: 0, repeated: 0 });
    expect(packets.received).toBe(packets.sent);
    expect(packets).toMatchObject({ dropped: {} });
  }, 60_000);
});
