import { NfError } from "@nfactor/sdk/errors";
import { Random } from "@nfactor/sdk/random";
import { expect, test } from "vitest";
import { ManualClock } from "../clock/manual_clock.ts";
import { Link } from "./link.ts";
import type { Methods } from "./method.ts";
import type { Session } from "./session.ts";

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));
const refused = new NfError("rpc.unreachable", "nobody");

/** As much of a session as a link sees. */
function pretended(): { session: Session; end(): void } {
  let end: (why: NfError) => void = () => undefined;
  const closed = new Promise<NfError>((done) => (end = done));
  const state = { isOpen: true };
  const over = (): void => {
    state.isOpen = false;
    end(new NfError("rpc.closed", "over"));
  };
  return { session: Object.assign(state, { closed, close: over, peer: { life: "x" } }) as unknown as Session, end: over };
}

test("attempts come at random times within a span that doubles up to its bound, and begin anew after a good session", async () => {
  const clock = new ManualClock();
  const random = new Random(7);
  const waits: number[] = [];
  let next: (() => Promise<Session>) | undefined;
  const link = new Link<Methods>({
    clock,
    random: () => random.below(1000) / 1000,
    backoff: { firstMs: 100, mostMs: 1600, goodMs: 5000 },
    connect: () => (next ? next() : Promise.reject(refused)),
    onTrouble: (_why, ms) => waits.push(ms),
  });
  link.start();
  for (let i = 0; i < 8; i++) {
    await settled();
    clock.advance(waits.at(-1)!);
  }
  await settled();
  expect(waits).toHaveLength(9);
  waits.forEach((ms, i) => {
    const span = Math.min(1600, 100 * 2 ** i);
    expect(ms).toBeGreaterThanOrEqual(span / 10);
    expect(ms).toBeLessThanOrEqual(span);
  });
  expect(new Set(waits).size).toBeGreaterThan(5);
  // A session that ends at once does not count as one that was there.
  for (const [lastsMs, span] of [
    [10, 1600],
    [5000, 100],
  ] as const) {
    const { session, end } = pretended();
    next = () => Promise.resolve(session);
    clock.advance(waits.at(-1)!);
    await settled();
    expect(link.current).toBe(session);
    next = undefined;
    clock.advance(lastsMs);
    end();
    await settled();
    expect(link.current).toBeUndefined();
    expect(waits.at(-1)).toBeLessThanOrEqual(span);
    expect(waits.at(-1)).toBeGreaterThanOrEqual(span / 10);
  }
  await link.stop();
});

test("who waits for a session gets it, or the reason why not", async () => {
  const clock = new ManualClock();
  const { session } = pretended();
  const link = new Link<Methods>({ clock, connect: () => Promise.resolve(session) });
  const abort = new AbortController();
  const [one, two] = [link.session(new AbortController().signal), link.session(abort.signal)];
  abort.abort(refused);
  await expect(two).rejects.toBe(refused);
  link.start();
  expect(await one).toBe(session);
  await link.stop();
  expect(session.isOpen).toBe(false);
  await expect(link.session(new AbortController().signal)).rejects.toMatchObject({ code: "rpc.closed" });
});

test("stopped while it connects or waits, it makes no other session", async () => {
  const clock = new ManualClock();
  let attempts = 0;
  const link = new Link<Methods>({ clock, connect: () => (attempts++, Promise.reject(refused)) });
  link.start();
  await settled();
  await link.stop();
  clock.advance(1e6);
  await settled();
  expect(attempts).toBe(1);
  const { session } = pretended();
  const late = new Link<Methods>({ clock, connect: () => settled().then(() => session) });
  late.start();
  await late.stop();
  expect(session.isOpen).toBe(false);
});
