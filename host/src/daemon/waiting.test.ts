/** A signal that lives long keeps nothing of the waits that it could have ended. */
import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { ManualClock } from "../clock/manual_clock.ts";
import { withDeadline } from "./waiting.ts";

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason as Error), { once: true }));

test("it ends with its result, with the signal, and after so long; the signal has no listener then", async () => {
  const clock = new ManualClock();
  const { signal } = new AbortController();
  expect(await withDeadline(signal, clock, 1000, async (own) => own.aborted)).toBe(false);
  const late = withDeadline(signal, clock, 1000, untilAborted);
  clock.advance(1000);
  await expect(late).rejects.toMatchObject({ name: "TimeoutError" });
  expect(getEventListeners(signal, "abort")).toEqual([]);
  const other = new AbortController();
  const calledOff = withDeadline(other.signal, clock, 1000, untilAborted);
  other.abort(new Error("no more"));
  await expect(calledOff).rejects.toThrow("no more");
  await expect(withDeadline(other.signal, clock, 1000, async (own) => own.throwIfAborted())).rejects.toThrow("no more");
});
