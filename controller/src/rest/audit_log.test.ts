import { expect, test, vi } from "vitest";
import { openMemoryStore } from "../store/index.ts";
import { AuditLog } from "./audit_log.ts";

test("who is refused, again and again, does not make the log forget what was done", async () => {
  const store = openMemoryStore();
  const log = await AuditLog.open(store, { kept: 200 });
  const add = (who: string, status: number) => log.add({ who, from: "x", method: "PUT", path: "/", outcome: "x", status });
  for (let i = 0; i < 50; i++) await add("ann", 200);
  for (let i = 0; i < 1000; i++) await add("eve", 403);
  for (const each of [log, await AuditLog.open(store, { kept: 200 })]) {
    const records = await each.list({ limit: 10_000 });
    expect(records.filter(({ who }) => who === "ann")).toHaveLength(50);
    expect(records.length).toBeLessThanOrEqual(200 + 100);
    expect(records[0]!.who).toBe("eve");
  }
});

test("of many that are written at once each record gives way once, and none is kept for ever", async () => {
  const store = openMemoryStore();
  const log = await AuditLog.open(store, { kept: 200 });
  const txn = vi.spyOn(store, "txn");
  const deleted = (): string[] => txn.mock.calls.flatMap(([{ then = [] }]) => then.flatMap((op) => (op.op === "delete" ? [op.key] : [])));
  const add = (i: number) => log.add({ who: `w${i}`, from: "x", method: "PUT", path: "/", outcome: "x", status: 200 });
  // No part of what is kept, so that those written at once are on both sides of the bound.
  const [AT_ONCE, ALL] = [16, 960];
  for (let i = 0; i < ALL; i += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, (_, more) => add(i + more)));
  expect(deleted().length).toBeGreaterThan(0);
  expect(new Set(deleted()).size).toBe(deleted().length);
  for (const each of [log, await AuditLog.open(store, { kept: 200 })]) {
    const records = await each.list({ limit: 10_000 });
    expect(records.map(({ who }) => who)).toEqual(Array.from({ length: ALL - deleted().length }, (_, back) => `w${ALL - 1 - back}`));
    expect(records.length).toBeLessThanOrEqual(200 + 100 + AT_ONCE);
  }
});
