import { expect, test } from "vitest";
import { MOVE_REFUSALS, type RuntimeJson } from "./runtimes_result.ts";
import { operationText, ratesOf, runtimesSummary, runtimesTable } from "./runtimes_text.ts";
import { runtimeJsonOf } from "./testing.ts";

const rowOf = (runtime: number, more: Partial<RuntimeJson> = {}) => ({ ...runtimeJsonOf(runtime, more), load: 0, received_pps: 0, sent_pps: 0 });
const at = (atUs: number, runtimes: RuntimeJson[]) => ({ atUs, runtimes });
const ended = { dry_run: false, flows: 10, moved: 10, failed: 0, reason: "none" as const, drained: false, undrained: false, duration_ns: 2_000_000 };

test("rates are of the time between two looks; a runtime that is new counts from zero", () => {
  const before = at(1_000_000, [runtimeJsonOf(1, { received: 100, sent: 100 })]);
  const now = at(3_000_000, [
    runtimeJsonOf(1, { received: 300, sent: 200, busy_us: 500_000 }),
    runtimeJsonOf(2, { received: 20, sent: 10, busy_us: 9_000_000 }),
  ]);
  expect(ratesOf(now, before)).toMatchObject([
    { runtime: 1, load: 0.25, received_pps: 100, sent_pps: 50 },
    { runtime: 2, load: 1, received_pps: 10, sent_pps: 5 },
  ]);
});

test("two looks at the same moment give numbers", () => {
  const look = at(5, [runtimeJsonOf(1, { busy_us: 7 })]);
  const [row] = ratesOf(look, look);
  expect(row).toMatchObject({ load: 0, received_pps: 0 });
});

test("what NFs did about moves has columns once there is something", () => {
  const rows = (...some: Partial<RuntimeJson>[]) => runtimesTable(some.map((one, i) => rowOf(i + 1, one)));
  expect(rows({}, {})).not.toMatch(/by NFs|not taken/);
  const [head, first, second] = rows({ nf_moves: 12 }, { arrivals_refused: 3 }).split("\n");
  expect(head).toMatch(/moved out +by NFs +not taken +queue/);
  expect(first).toMatch(/ 12 +0 +0 +0$/);
  expect(second).toMatch(/ 3 +0 +0 +0$/);
});

test("packets that a full queue has cost have a column once there are some", () => {
  const rows = (one: Partial<RuntimeJson>) => runtimesTable([rowOf(1, one)]);
  expect(rows({})).not.toContain("queue full");
  const [head, row] = rows({ runtime_full: 4200, queued: 512 }).split("\n");
  expect(head).toMatch(/moved out +queue full +queue/);
  expect(row).toMatch(/ 4,200 +512 /);
});

test("what replication is about has columns once there is something", () => {
  const rows = (one: Partial<RuntimeJson>) => runtimesTable([rowOf(1, one)]);
  expect(rows({})).not.toMatch(/replicas|unprotected|lag|relayed|recovered|lost/);
  const [head, row] = rows({ replicas: 10, unprotected: 2, replication_lag: 3, relayed: 5, recovered: 4, state_lost: 1 }).split("\n");
  expect(head).toMatch(/replicas +unprotected +lag +relayed +recovered +state lost +queue/);
  expect(row).toMatch(/ 10 +2 +3 +5 +4 +1 +0 +0 +0$/);
});

test("what should be 0 is told below the table when it isn't", () => {
  const rows = [rowOf(0), rowOf(1)];
  expect(runtimesTable(rows).split("\n")).toHaveLength(3);
  expect(runtimesSummary(rows).split("\n")).toHaveLength(3);
  const [vswitch, one] = [rowOf(0, { missed: 1234 }), rowOf(1, { refused_messages: 1 })];
  const refused = "1 could not read 1 message of the others: a fault of NFActor, please report it";
  expect(runtimesTable([vswitch, one]).split("\n").slice(3)).toEqual([
    "the interfaces lost 1,234 packets before they came here: packets come faster than they are taken",
    `runtime ${refused}`,
  ]);
  expect(runtimesSummary([vswitch, one]).split("\n").slice(3)).toEqual([`runtime ${refused}`]);
  expect(
    runtimesSummary([{ ...vswitch, refused_messages: 2 }])
      .split("\n")
      .at(-1),
  ).toBe("the vswitch could not read 2 messages of the others: a fault of NFActor, please report it");
});

test("how it ended: how many, how fast, and what is left", () => {
  expect(operationText("runtime 1 → 2", 1, { ...ended, drained: true })).toBe(
    "runtime 1 → 2: 10 flows moved in 2.00 ms (5.00 k flows/s)\n  runtime 1 has no flows left",
  );
  expect(operationText("runtime 1 → 2", 1, { ...ended, flows: 0, moved: 0 })).toBe("runtime 1 → 2: 0 flows moved in 2.00 ms");
  expect(operationText("runtime 1 → 2", 1, { ...ended, moved: 4, undrained: true })).toBe(
    "runtime 1 → 2: 4 flows moved in 2.00 ms (2.00 k flows/s)\n  'nfactor undrain' ended it: runtime 1 takes new flows again, and flows that had not begun to move stay there",
  );
});

test("every refusal is told in words, with something to do", () => {
  for (const reason of MOVE_REFUSALS.filter((one) => one !== "none")) {
    const [, line] = operationText("runtime 1 → 2", 1, { ...ended, moved: 4, failed: 6, reason }).split("\n");
    expect(line, reason).toMatch(/^ {2}6 stayed where they were: [a-z][^.]+\. ['A-Z].*\.$/);
  }
});

test("a dry run says what would be, and what would be refused", () => {
  const dry = { ...ended, dry_run: true, moved: 0 };
  expect(operationText("runtime 1 → 2", 1, dry)).toBe("runtime 1 → 2: 10 flows would move. Nothing was changed.");
  expect(operationText("runtime 1 → 2", 1, { ...dry, reason: "draining" })).toContain("they would be refused: the target is being drained.");
});
