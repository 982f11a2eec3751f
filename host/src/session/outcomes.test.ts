import { NfError } from "@nfactor/sdk/errors";
import { beforeEach, expect, test } from "vitest";
import { ManualClock } from "../clock/manual_clock.ts";
import { type OutcomeLimits, Outcomes } from "./outcomes.ts";

let clock: ManualClock;
let outcomes: Outcomes;
let begun: { signal: AbortSignal; done(value: unknown): void; fail(error: unknown): void }[];
const LIMITS: OutcomeLimits = { keepMs: 1000, entriesPerPeer: 3, bytes: 100_000 };

beforeEach(() => {
  clock = new ManualClock();
  outcomes = new Outcomes(clock, LIMITS);
  begun = [];
});

const ask = (key: string, { peer = "h1", params = { n: 1 } as unknown, deadlineMs = 100 } = {}) => {
  const share = outcomes.share({ peer, key, method: "add", params, deadlineMs }, (signal) => new Promise((done, fail) => begun.push({ signal, done, fail })));
  share.outcome.catch(() => undefined);
  return share;
};
const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

test("an outcome is remembered for its time after the work has ended, an error as well", async () => {
  const first = ask("a");
  clock.advance(99);
  begun[0]!.done("x");
  expect(await first.outcome).toBe("x");
  clock.advance(999);
  expect(await ask("a").outcome).toBe("x");
  const failed = ask("b");
  begun[1]!.fail(new NfError("runtime.limit", "no more"));
  await expect(failed.outcome).rejects.toMatchObject({ code: "runtime.limit" });
  await expect(ask("b").outcome).rejects.toMatchObject({ code: "runtime.limit" });
  expect(begun).toHaveLength(2);
  clock.advance(1000);
  expect([outcomes.size, outcomes.bytes]).toEqual([0, 0]);
  ask("a");
  expect(begun).toHaveLength(3);
});

test("fields may come in another order, nothing else may differ", () => {
  ask("a", { params: { n: 1, deep: { x: 1, y: [1, 2] }, bytes: Buffer.from("ab") } });
  ask("a", { params: { bytes: Buffer.from("ab"), deep: { y: [1, 2], x: 1 }, n: 1 } });
  for (const params of [{ n: 1 }, { n: 1, deep: { x: 1, y: [2, 1] }, bytes: Buffer.from("ab") }, { n: 1, deep: { x: 1, y: [1, 2] }, bytes: Buffer.from("ac") }])
    expect(() => ask("a", { params })).toThrow(expect.objectContaining({ code: "rpc.idempotency" }));
  expect(begun).toHaveLength(1);
});

test("the work goes on until the latest deadline of those who have asked, whoever has left", async () => {
  const first = ask("a", { deadlineMs: 100 });
  first.leave();
  clock.advance(50);
  ask("a", { deadlineMs: 100 }).leave();
  ask("a", { deadlineMs: 10 });
  clock.advance(99);
  expect(begun[0]!.signal.aborted).toBe(false);
  clock.advance(1);
  expect(begun[0]!.signal.reason).toMatchObject({ code: "rpc.deadline" });
  begun[0]!.fail(begun[0]!.signal.reason);
  await settled();
  // It was not done: who asks again begins it again.
  expect(outcomes.size).toBe(0);
  ask("a");
  expect(begun).toHaveLength(2);
});

test("called off by one, it goes on for the other; by both, it ends; what ends in spite of that is an outcome", async () => {
  const [one, two] = [ask("a"), ask("a")];
  one.cancel();
  one.cancel();
  expect(begun[0]!.signal.aborted).toBe(false);
  two.cancel();
  expect(begun[0]!.signal.reason).toMatchObject({ code: "rpc.cancelled" });
  begun[0]!.done("done all the same");
  await settled();
  expect(await ask("a").outcome).toBe("done all the same");
});

test("what had no room to begin is no outcome", async () => {
  ask("a");
  begun[0]!.fail(new NfError("rpc.busy", "full"));
  await settled();
  expect(outcomes.size).toBe(0);
});

test("bounded for each peer, and in bytes; nothing is forgotten early for room", async () => {
  for (const key of ["a", "b", "c"]) ask(key);
  expect(() => ask("d")).toThrow(expect.objectContaining({ code: "rpc.busy" }));
  ask("d", { peer: "h2" });
  begun[3]!.done("x".repeat(100_000));
  await settled();
  expect(() => ask("e", { peer: "h3" })).toThrow(expect.objectContaining({ code: "rpc.busy" }));
  expect(((await ask("d", { peer: "h2" }).outcome) as string).length).toBe(100_000);
  clock.advance(1000);
  ask("e", { peer: "h3" });
  expect(begun).toHaveLength(5);
});
