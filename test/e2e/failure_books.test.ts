/**
 * Whatever is killed or stopped, late output is fenced, nothing comes twice or out of order, and every packet is in the books: what the ends of numbered flows
 * miss is what was dropped by reason and lost in failure, to the packet. Needs root, as CI has.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NumberedFlows } from "./numbered_flows.ts";
import { pause, sum } from "./testing/members.ts";
import { SurvivalLab, booksOf } from "./testing/survival_lab.ts";

const STOPPED_MS = 2000;

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log("skipped: tests of failures need root for network namespaces");

describe.skipIf(!isRoot)("numbered packets and the books", () => {
  let lab: SurvivalLab;
  beforeEach(() => {
    lab = new SurvivalLab();
  });
  afterEach(() => lab.close());

  /** SIGSTOP, and SIGCONT when it lives still. */
  const stopFor = async (pid: number, ms: number): Promise<void> => {
    process.kill(pid, "SIGSTOP");
    await pause(ms);
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
    await stopFor((await lab.members.of(2)).pid!, STOPPED_MS);
    await lab.members.until("runtime 2 is replaced", (all) => all[2]!.pid !== undefined && all[2]!.pid !== before[2]!.pid);
    expect(lab.host.messages).toContain("runtime 2 is turned away from: it is silent");
    expect(lab.host.messages).toContain(`runtime 2 (pid ${before[2]!.pid}) has died: SIGKILL; it is started again`);
    await lab.members.protected();
    await stopFor((await lab.members.of(0)).pid!, STOPPED_MS);
    const after = await lab.members.protected();
    expect(after[0]!.pid).toBe(before[0]!.pid);
    expect(after.map(({ state_lost }) => state_lost)).toEqual([0, 0, 0, 0]);
    expect(after[0]!.recovered).toBeGreaterThanOrEqual(40);
    await lab.replaceSupervisor(() => pause(500));
    await lab.members.protected();

    const { sent, lost, reordered, repeated, silenceMs } = await traffic.end();
    const overflowed = await lab.overflowed();
    const result = await lab.stop();
    const { dropped, missed = 0, lost_in_failure = 0 } = result.packets;
    console.log(
      `${lost} of ${sent} packets were not answered, ${overflowed} of them for want of room in a socket; silence ${silenceMs} ms\n${booksOf(result)}`,
    );
    expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
    // What waited for the runtimes went to others.
    expect(Object.keys(dropped)).not.toContain("shutdown");
    expect(lost - overflowed).toBe(sum(dropped) + missed + lost_in_failure);
  }, 150_000);

  test("a supervisor that is killed costs no packet", async () => {
    await lab.start({ name: "costless", runtimes: 2, observers: ["flow_monitor"] });
    const traffic = await NumberedFlows.start(lab.wire.lab, { flows: 60, everyMs: 20 });
    await lab.members.protected();
    await lab.replaceSupervisor(() => pause(500));
    await lab.members.protected();
    const numbers = await traffic.end();
    const { packets } = await lab.stop();
    expect(numbers).toMatchObject({ lost: 0, reordered: 0, repeated: 0 });
    expect(packets.received).toBe(packets.sent);
    expect(packets).toMatchObject({ dropped: {} });
  }, 60_000);
});
