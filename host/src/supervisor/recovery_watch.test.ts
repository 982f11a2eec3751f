import { expect, test } from "vitest";
import { RECOVERY_BOUNDS_MS } from "../result/runtimes_result.ts";
import { RecoveryWatch } from "./recovery_watch.ts";

const total = ({ counts }: { readonly counts: readonly number[] }): number => counts.reduce((sum, n) => sum + n, 0);

test("a death is one recovery, when all flows of it go on", async () => {
  let looks = 0;
  const watch = new RecoveryWatch({
    // What the dead one itself had recovered before is gone with it.
    recovered: () =>
      new Map([
        [0, 3],
        [1, 100 + Math.min(looks++, 4) * 10],
        [2, looks < 2 ? 50 : 0],
      ]),
    isOn: () => true,
  });
  watch.begin();
  await watch.follow(2, 40);
  expect(looks).toBe(6);
  expect(total(watch.recoveries)).toBe(1);
  expect(watch.recoveries.sumMs).toBeGreaterThan(0);
  expect(watch.recoveries.counts).toHaveLength(RECOVERY_BOUNDS_MS.length + 1);
});

test("one that is over when its death is heard of is one, too", async () => {
  let recovered = 7;
  const watch = new RecoveryWatch({ recovered: () => new Map([[1, recovered]]), isOn: () => true });
  watch.begin();
  recovered = 27;
  await watch.follow(2, 20);
  expect(watch.recoveries.counts[0]).toBe(1);
  // Its flows are not counted for the next one.
  recovered = 28;
  await watch.follow(2, 1);
  expect(watch.recoveries.counts[0]).toBe(2);
});

test("flows that never come back end it after a while, at the time of the last that did", async () => {
  let looks = 0;
  const watch = new RecoveryWatch({ recovered: () => new Map([[2, Math.min(looks++, 1)]]), isOn: () => true });
  watch.begin();
  const begunMs = performance.now();
  await watch.follow(1, 10);
  expect(total(watch.recoveries)).toBe(1);
  expect(watch.recoveries.sumMs).toBeLessThan(performance.now() - begunMs - 500);
});

test("one after which nothing went on is none, nor is one without flows, and the end of the run ends it", async () => {
  let on = true;
  const watch = new RecoveryWatch({ recovered: () => new Map([[2, 7]]), isOn: () => on });
  watch.begin();
  await watch.follow(1, 0);
  setTimeout(() => (on = false), 20);
  await watch.follow(1, 5);
  expect(total(watch.recoveries)).toBe(0);
});
