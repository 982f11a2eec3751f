import { expect, test } from "vitest";
import { TraceAssembler } from "./assemble.ts";
import type { TraceBatch, TraceRecord } from "./records.ts";

const batch = (member: number, records: TraceRecord[], isRemote = false): TraceBatch => ({
  member,
  isRemote,
  records,
  more: false,
  chosen: 0,
  missed: 0n,
  lost: 0n,
});
const record = (hop: TraceRecord["hop"], at: number, n: number, more: Partial<TraceRecord> = {}): TraceRecord => ({
  hop,
  at: BigInt(at),
  n,
  length: 60,
  ...more,
});
const stamp = (sequence: number): [number, number, number, number] => [3, 9, sequence, 0];

/** One packet through vswitch and runtime 2, with numbers of their own. */
const way = (sequence: number, n: number, at: number) => ({
  vswitch: [record("in", at, n, { port: 0, new: true, frame: new Uint8Array([1]) }), record("routed", at + 10, n, { to: 2, stamp: stamp(sequence) })],
  runtime: [
    record("taken", at + 20, n + 500, { stamp: stamp(sequence) }),
    record("nf", at + 30, n + 500, { nf: 0, verdict: "FORWARD", changed: true, frame: new Uint8Array([2]) }),
    record("stamped", at + 40, n + 500, { stamp: stamp(sequence) }),
  ],
  back: [record("gate", at + 50, n + 1, { stamp: stamp(sequence) }), record("out", at + 60, n + 1, { port: 1 })],
});

function settled(assembler: TraceAssembler): ReturnType<TraceAssembler["take"]> {
  for (let i = 0; i < 5; i++) assembler.push([]);
  return assembler.take();
}

test("a packet's hops in several members are one story, whoever is read first", () => {
  const { vswitch, runtime, back } = way(1, 10, 1000);
  for (const rounds of [
    [batch(0, [...vswitch, ...back]), batch(2, runtime)],
    [batch(2, runtime), batch(0, [...vswitch, ...back])],
  ]) {
    const assembler = new TraceAssembler(["nat"], 5_000_000n);
    for (const one of rounds) assembler.push([one]);
    const [packet, ...more] = settled(assembler);
    expect(more).toEqual([]);
    expect(packet).toMatchObject({ packet: 1, at_us: 5001, wire_length: 60, is_whole: true });
    expect(packet!.hops.map(({ hop, runtime: at, after_ns }) => [hop, at, after_ns])).toEqual([
      ["in", 0, undefined],
      ["routed", 0, 10],
      ["taken", 2, 10],
      ["nf", 2, 10],
      ["stamped", 2, 10],
      ["gate", 0, 10],
      ["out", 0, 10],
    ]);
    expect(packet!.hops[3]).toMatchObject({ entry: "nat", verdict: "FORWARD", changed: true });
    expect(assembler.open).toBe(0);
  }
});

test("packets of one flow that are on their way at once stay apart", () => {
  const assembler = new TraceAssembler(["nat"], 0n);
  const ways = [0, 1, 2].map((i) => way(i, 10 + 2 * i, 1000 + i));
  assembler.push([
    batch(
      0,
      ways.flatMap(({ vswitch }) => vswitch),
    ),
    batch(
      2,
      ways.flatMap(({ runtime }) => runtime),
    ),
    batch(
      0,
      ways.flatMap(({ back }) => back),
    ),
  ]);
  const packets = settled(assembler);
  expect(packets.map(({ packet }) => packet)).toEqual([1, 2, 3]);
  for (const { hops, is_whole } of packets) expect([hops.length, is_whole]).toEqual([7, true]);
});

test("a drop ends a story with its reason; one that never ends is told at last, as far as it is known", () => {
  const assembler = new TraceAssembler(["fw", "nat"], 0n);
  assembler.push([
    batch(0, [
      record("in", 1, 1, { port: 0 }),
      record("nf", 2, 1, { nf: 0, verdict: "DROP", reason: "fw.policy" }),
      record("in", 3, 2, { port: 0 }),
      record("waits", 4, 2, { waits: "move" }),
    ]),
  ]);
  expect(settled(assembler).map(({ packet, is_whole }) => [packet, is_whole])).toEqual([[1, true]]);
  const [rest] = assembler.take(true);
  expect(rest).toMatchObject({ packet: 2, is_whole: false });
  expect(rest!.hops.at(-1)).toMatchObject({ hop: "waits", waits_for: "move" });
});

test("what an NF makes is a story of its own, which says whose it is", () => {
  const assembler = new TraceAssembler(["ids"], 0n);
  assembler.push([
    batch(0, [
      record("in", 1, 1, { port: 0 }),
      record("emitted", 2, 2, { nf: 0, cause: 1, frame: new Uint8Array([7]) }),
      record("nf", 3, 1, { nf: 0, verdict: "FORWARD" }),
      record("out", 4, 1, { port: 1 }),
      record("out", 5, 2, { port: 0 }),
    ]),
  ]);
  expect(settled(assembler).map(({ made_by, hops }) => [made_by, hops.map(({ hop }) => hop)])).toEqual([
    [undefined, ["in", "nf", "out"]],
    [{ packet: 1, entry: "ids" }, ["emitted", "out"]],
  ]);
});

test("records that hang on nothing are forgotten, and numbers that come again are other packets", () => {
  const assembler = new TraceAssembler(["nat"], 0n);
  assembler.push([batch(2, [record("taken", 1, 7, { stamp: stamp(9) }), record("nf", 2, 7, { nf: 0, verdict: "FORWARD" })])]);
  expect(settled(assembler)).toEqual([]);
  const first = way(1, 10, 1000);
  assembler.push([batch(0, [...first.vswitch, ...first.back]), batch(2, first.runtime)]);
  expect(settled(assembler)).toHaveLength(1);
  const again = way(2, 10, 9000);
  assembler.push([batch(0, [...again.vswitch, ...again.back]), batch(2, again.runtime)]);
  expect(settled(assembler).map(({ packet, hops }) => [packet, hops.length])).toEqual([[2, 7]]);
});

test("another machine's clock gives no times between machines", () => {
  const assembler = new TraceAssembler(["nat"], 0n);
  const { vswitch, back } = way(1, 10, 1_000_000);
  const { runtime } = way(1, 10, 5);
  assembler.push([batch(0, [...vswitch, ...back]), batch(2, runtime, true)]);
  const [packet] = settled(assembler);
  expect(packet!.hops.map(({ hop, after_ns }) => `${hop} ${after_ns ?? "?"}`)).toEqual([
    "in ?",
    "routed 10",
    "taken ?",
    "nf 10",
    "stamped 10",
    "gate ?",
    "out 10",
  ]);
});
