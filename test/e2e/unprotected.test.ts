/**
 * When nobody is left to keep replicas: strict lets output wait, and drops what finds no room, visibly; available lets it leave, and says of how many flows.
 * Both go on protected when there is somebody again. Needs root, as CI has.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NumberedFlows } from "../../scripts/lib/numbered_flows.ts";
import { describeAsRoot } from "./testing/labs.ts";
import { sum } from "./testing/members.ts";
import { SurvivalLab, booksOf } from "./testing/survival_lab.ts";

const [FLOWS, EVERY_MS] = [60, 20];
/** Until what waits has no room any more, and what runtimes say of themselves has come. */
const ALONE_MS = 1000;
/** Of a runtime that is a process. */
const ROOM = 1920;
/** Of the host's packets, those of the numbered flows are more than others by far. */
const NOISE = 50;

/** What leaves and is dropped in a while, flows without a replica, and packets that wait. */
interface Alone {
  sent: number;
  dropped: number;
  flows: number;
  held: number;
}

describeAsRoot("the only runtime that is left", () => {
  let lab: SurvivalLab;
  beforeEach(() => {
    lab = new SurvivalLab();
  });
  afterEach(() => lab.close());

  test.each(["strict", "available"] as const)(
    "with %s",
    async (unprotected) => {
      await lab.start({ name: unprotected, runtimes: 2, unprotected, observers: ["flow_monitor"] });
      const traffic = await NumberedFlows.start(lab.wire.lab, { flows: FLOWS, everyMs: EVERY_MS });
      await lab.members.protected();

      const whileAlone = async (): Promise<Alone> => {
        const totals = async (): Promise<Alone> => {
          const all = await lab.members.all();
          return { sent: all[0]!.sent, dropped: all[1]!.dropped, flows: all[1]!.unprotected, held: all[1]!.held };
        };
        await pause(ALONE_MS);
        const from = await totals();
        await pause(ALONE_MS);
        const to = await totals();
        return { sent: to.sent - from.sent, dropped: to.dropped - from.dropped, flows: to.flows, held: to.held };
      };
      const expectAsSaid = ({ sent, dropped, flows, held }: Alone): void => {
        expect(flows).toBeGreaterThanOrEqual(FLOWS);
        if (unprotected === "strict") {
          expect(sent).toBeLessThan(NOISE);
          expect(dropped).toBeGreaterThan(NOISE);
          expect(held).toBeGreaterThan(ROOM - NOISE);
        } else {
          expect(sent).toBeGreaterThan(NOISE);
          expect(dropped).toBe(0);
        }
      };
      const expectProtectedAgain = async (): Promise<void> => {
        const from = (await lab.members.protected())[0]!.sent;
        await pause(ALONE_MS);
        expect((await lab.members.all())[0]!.sent - from).toBeGreaterThan(NOISE);
        for (const { state_lost } of await lab.members.all()) expect(state_lost).toBe(0);
      };

      // The other one dies faster than it comes back.
      const over = lab.members.keepDead(2);
      const killed = await whileAlone();
      await over();
      expectAsSaid(killed);
      await expectProtectedAgain();

      // It is taken away, and another one comes.
      await lab.host.json("runtimes remove", "2", "--force");
      const removed = await whileAlone();
      expectAsSaid(removed);
      await lab.host.json("runtimes add");
      await expectProtectedAgain();

      const { sent, lost, reordered, repeated, silenceMs } = await traffic.end();
      const result = await lab.stop();
      const { dropped, missed = 0, lost_in_failure = 0 } = result.packets;
      console.log(`${unprotected}: ${lost} of ${sent} packets were not answered, longest silence ${silenceMs} ms; ${booksOf(result)}`);
      expect({ reordered, repeated }).toEqual({ reordered: 0, repeated: 0 });
      expect(lost).toBe(sum(dropped) + missed + lost_in_failure);
      // No flow has ended with a runtime: each is there once.
      expect(result.flows.filter(({ key }) => key.protocol === "udp" && key.responder.address === lab.wire.lab.serverAddress)).toHaveLength(FLOWS);
      // What has waited finds room on its way when it leaves.
      expect(Object.keys(dropped)).toEqual(unprotected === "strict" ? ["replica_buffer_full"] : []);
      expect(dropped["replica_buffer_full"] ?? 0).toBeGreaterThanOrEqual(unprotected === "strict" ? NOISE : 0);
    },
    120_000,
  );
});
