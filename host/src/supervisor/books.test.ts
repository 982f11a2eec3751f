import { Random } from "@nfactor/sdk/test";
import { expect, test } from "vitest";
import type { CountersSnapshot } from "../dataplane/native_types.ts";
import { Books, type LifeAccount, keptSchema } from "./books.ts";
import { type MemberCounters, droppedBy, parseCounterFile } from "./counter_file.ts";

const file = (member: number, more: Partial<MemberCounters> = {}): MemberCounters => ({
  ...{ member, incarnation: 1, term: 1, pid: 1, turns: 0n, hasEndedInOrder: false, received: 0n, receivedBytes: 0n, sent: 0n, sentBytes: 0n, emitted: 0n },
  ...{ held: 0n, dropped: {}, droppedByNfs: 0n, droppedByNf: [], flowsOpen: 0, flowsOpened: 0n, movedIn: 0n, movedOut: 0n, migrations: 0 },
  ...{ claimed: 0n, recovered: 0n, stateLost: 0n, replicas: 0, unprotected: 0, replicationLag: 0 },
  ...more,
});
const said = (more: Partial<CountersSnapshot>): CountersSnapshot => ({
  ...{ nowNs: 0n, received: 0n, receivedBytes: 0n, sent: 0n, sentBytes: 0n, emitted: 0n, held: 0n, dropped: {}, flowsOpen: 0 },
  ...{ missed: 0n, flowsOpened: 0n, flowsEnded: 0n, eventsLost: 0n, nfs: [], ...more },
});
const life = (counters: MemberCounters, words?: Partial<CountersSnapshot>): LifeAccount => ({ file: counters, said: words && said(words) });
const balance = ({ received, emitted, sent, held, dropped, lostInFailure = 0n }: CountersSnapshot): bigint =>
  received + emitted - sent - held - lostInFailure - Object.values(dropped).reduce((sum, n) => sum + n, 0n);

test("received and sent are the vswitch's, the rest everybody's; what is under way is held", () => {
  const books = new Books(["fw"]);
  const vswitch = life(file(0, { received: 100n, sent: 70n, dropped: { port_full: 2n } }));
  const runtime = life(file(1, { received: 90n, sent: 80n, emitted: 1n, dropped: { nf_fault: 3n }, droppedByNfs: 5n, flowsOpen: 4, flowsOpened: 9n }), {
    dropped: { "fw.policy": 5n, nf_fault: 2n },
    missed: 6n,
    nfs: [{ entry: "fw", version: "1.0.0", faults: 3n, quarantined: true, counters: { matched: 7n } }],
  });
  const sum = books.snapshot([runtime, vswitch], false);
  expect(sum).toMatchObject({
    received: 100n,
    sent: 70n,
    emitted: 1n,
    missed: 6n,
    held: 21n,
    lostInFailure: 0n,
    flowsOpen: 4,
    flowsOpened: 9n,
    flowsEnded: 5n,
  });
  expect(sum.dropped).toEqual({ port_full: 2n, nf_fault: 3n, "fw.policy": 5n });
  expect(sum.nfs).toEqual([{ entry: "fw", version: "1.0.0", faults: 3n, quarantined: true, counters: { matched: 7n } }]);
  expect(balance(sum)).toBe(0n);
});

test("a life that has died: its counts stay, and what it had in hand is lost, at the most what was missing at the quietest moment", () => {
  const books = new Books(["fw"]);
  const vswitch = (received: bigint, sent: bigint): LifeAccount => life(file(0, { received, sent }));
  books.close(life(file(1, { dropped: { nf_fault: 2n }, droppedByNfs: 4n, droppedByNf: [3n] }), { dropped: { "fw.policy": 1n } }));
  expect(books.kept.deaths).toBe(1);
  // 4 were dropped by NFs: one by name, two by the place in the chain, and one that nobody knows more of.
  expect(books.kept.dropped).toEqual({ nf_fault: 2n, "fw.policy": 1n, "fw.unnamed": 2n, "nf.unnamed": 1n });
  expect(books.snapshot([vswitch(100n, 50n)], false)).toMatchObject({ lostInFailure: 44n, held: 0n });
  expect(books.snapshot([vswitch(200n, 184n)], false)).toMatchObject({ lostInFailure: 10n, held: 0n });
  expect(books.snapshot([vswitch(300n, 270n)], false)).toMatchObject({ lostInFailure: 10n, held: 14n });
  books.close(life(file(0, { received: 300n, sent: 285n, hasEndedInOrder: true })));
  const end = books.snapshot([], true);
  expect(end).toMatchObject({ received: 300n, sent: 285n, lostInFailure: 9n, held: 0n });
  expect(balance(end)).toBe(0n);
});

test("what a vswitch was handing to a port when it died may have left, and is part of what is lost", () => {
  const books = new Books([]);
  books.close(life(file(0, { received: 100n, sent: 60n, claimed: 92n })));
  books.close(life(file(0, { incarnation: 2, received: 10n, sent: 10n, claimed: 10n })));
  books.close(life(file(0, { incarnation: 3, received: 70n, sent: 60n, claimed: 64n, hasEndedInOrder: true })));
  expect(books.snapshot([], true)).toMatchObject({ sent: 130n, lostInFailure: 50n, maybeSent: 32n });
  // A supervisor before this one may have been of a version that did not ask.
  const text = JSON.stringify(books.kept, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
  const older = JSON.parse(text) as Record<string, unknown>;
  delete older["maybeSent"];
  expect(keptSchema.parse(older).maybeSent).toBe(0n);
});

test("nothing is lost when all have ended in order", () => {
  const books = new Books([]);
  books.close(life(file(1, { dropped: { flow_refused: 3n }, hasEndedInOrder: true })));
  books.close(life(file(0, { received: 10n, sent: 7n, hasEndedInOrder: true })));
  expect(books.snapshot([], true)).toMatchObject({ lostInFailure: 0n, held: 0n });
});

test("books go to disk and come back", () => {
  const books = new Books(["fw"]);
  books.close(life(file(1, { dropped: { nf_fault: 2n } }), { nfs: [{ entry: "fw", version: "1", faults: 1n, quarantined: false, counters: { a: 5n } }] }));
  const text = JSON.stringify(books.kept, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
  expect(keptSchema.parse(JSON.parse(text))).toEqual(books.kept);
});

test("whatever lives and dies, the books balance", () => {
  const seed = Date.now() % 1_000_000;
  const random = new Random(seed);
  const books = new Books(["a", "b"]);
  books.close(life(file(0, { received: 1_000_000n })));
  const some = (n: number): bigint => BigInt(random.below(n));
  for (let i = 0; i < 500; i++) {
    const vswitch = life(file(0, { received: 10_000n + some(1000), sent: some(1000), dropped: { port_full: some(10) } }));
    const byNf = [some(50), some(50)];
    const runtime = life(file(1, { emitted: some(5), dropped: { nf_fault: some(10) }, droppedByNfs: byNf[0]! + byNf[1]!, droppedByNf: byNf }), {
      dropped: { "a.x": some(Number(byNf[0]) + 1), "b.y": some(Number(byNf[1]) + 1) },
    });
    expect(balance(books.snapshot([runtime, vswitch], false)), `seed ${seed}`).toBe(0n);
    if (random.below(3) === 0) books.close(runtime);
    if (random.below(3) === 0) books.close(vswitch);
    expect(balance(books.snapshot([], true)), `seed ${seed}`).toBe(0n);
  }
});

test("a counter file: its layout, and what is none", () => {
  const bytes = Buffer.alloc(64 + 128 * 8);
  bytes.write("NFCOUNT1");
  bytes.writeUInt32LE(1, 8);
  bytes.writeUInt16LE(3, 12);
  bytes.writeUInt16LE(128, 14);
  bytes.writeUInt32LE(77, 16);
  bytes.writeUInt32LE(5, 20);
  bytes.writeBigUInt64LE(4711n, 24);
  bytes.writeBigUInt64LE(9n, 32);
  bytes.writeBigUInt64LE(1n, 48);
  const word = (i: number, n: bigint): number => bytes.writeBigUInt64LE(n, 64 + 8 * i);
  for (let i = 0; i < 6; i++) word(i, BigInt(10 + i));
  word(6 + 17, 2n);
  word(70, 8n);
  for (let i = 0; i < 5; i++) word(73 + i, BigInt(20 + i));
  word(97, 6n);
  const counters = parseCounterFile(bytes, "x");
  expect(counters).toMatchObject({ member: 3, incarnation: 77, term: 5, pid: 4711, turns: 9n, hasEndedInOrder: true, received: 10n, receivedBytes: 11n });
  expect(counters).toMatchObject({ sent: 12n, sentBytes: 13n, emitted: 14n, held: 15n, dropped: { nf_fault: 2n }, droppedByNfs: 8n });
  expect(counters).toMatchObject({ flowsOpen: 20, flowsOpened: 21n, movedIn: 22n, movedOut: 23n, migrations: 24 });
  expect(counters.droppedByNf.slice(0, 3)).toEqual([0n, 6n, 0n]);
  expect(droppedBy(counters)).toBe(10n);
  expect(() => parseCounterFile(bytes.subarray(0, 100), "x")).toThrow("no counter file of this version");
  expect(() => parseCounterFile(Buffer.alloc(2000), "x")).toThrow("it does not begin with NFCOUNT1");
  bytes.writeUInt32LE(2, 8);
  expect(() => parseCounterFile(bytes, "x")).toThrow("version 2");
});
