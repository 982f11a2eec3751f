import { expect, test } from "vitest";
import { RECOVERY_BOUNDS_MS } from "../result/runtimes_result.ts";
import { RecoveryWatch } from "./recovery_watch.ts";

const total = ({ counts }: { readonly counts: readonly number[] }): number => counts.reduce((sum, n) => sum + n, 0);

test("a death is one recovery, when all flows of it go on", async () => {
  let looks = 0;
  const asked = new Set<number>();
  const watch = new RecoveryWatch({
    recovered: (dead) => {
      asked.add(dead);
      return 100 + Math.min(looks++, 3) * 10;
    },
    isOn: () => true,
  });
  await watch.follow(2, 30);
  expect([...asked]).toEqual([2]);
  expect(looks).toBe(4);
  expect(total(watch.recoveries)).toBe(1);
  expect(watch.recoveries.sumMs).toBeGreaterThan(0);
  expect(watch.recoveries.counts).toHaveLength(RECOVERY_BOUNDS_MS.length + 1);
});

test("flows that never come back end it after a while, at the time of the last that did", async () => {
  let looks = 0;
  const watch = new RecoveryWatch({ recovered: () => Math.min(looks++, 1), isOn: () => true });
  const begunMs = performance.now();
  await watch.follow(1, 10);
  expect(total(watch.recoveries)).toBe(1);
  expect(watch.recoveries.sumMs).toBeLessThan(performance.now() - begunMs - 500);
});

test("one after which nothing went on is none, nor is one without flows, and the end of the run ends it", async () => {
  let on = true;
  const watch = new RecoveryWatch({ recovered: () => 7, isOn: () => on });
  await watch.follow(1, 0);
  setTimeout(() => (on = false), 20);
  await watch.follow(1, 5);
  expect(total(watch.recoveries)).toBe(0);
});
