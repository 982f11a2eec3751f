import { expect, test } from "vitest";
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
