/** What an NF reads of the runtimes that it is shown: sdk/assembly/cluster.ts on V8. */
import { beforeAll, expect, test } from "vitest";
import { CALL, RECORDS, RUNTIME_RECORD_BYTES, RuntimeFlag } from "../abi/gen/abi.ts";
import { type RunningNf, buildText, run } from "./testing/temporary_nf.ts";

const NF = `import { ArrivalReason, Flow, NetworkFunction, NoConfig, NoState, Packet, Verdict, counter, leastLoaded, ownRuntime, runtimeAt } from "@nfactor/sdk";
export class Probe extends NetworkFunction<NoState, NoConfig> {
  process(p: Packet, s: NoState): Verdict { p.askMigrate(); return Verdict.FORWARD; }
  migrationTarget(cluster: u32, n: u32, f: Flow, s: NoState): u32 {
    const own = ownRuntime(cluster, n);
    counter(0).add(own.number);
    counter(1).add(own.flows);
    counter(2).add(own.loadPermille);
    for (let i: u32 = 0; i < n; i++) if (runtimeAt(cluster, i).isDraining) counter(3).add(1);
    return leastLoaded(cluster, n).number;
  }
  arrived(f: Flow, s: NoState, reason: u32): u32 { return reason == ArrivalReason.MOVED ? 0 : 1; }
}
`;

let nf: RunningNf;
beforeAll(async () => {
  nf = await run((await buildText(NF)).core);
});

interface Shown {
  runtime: number;
  flows?: number;
  load?: number;
  flags?: number;
}
function target(...runtimes: Shown[]): number {
  const { runtime, flows, load_permille, flags } = RECORDS.runtime_record.fields;
  runtimes.forEach((one, i) => {
    const at = CALL.cluster + i * RUNTIME_RECORD_BYTES;
    nf.memory.setUint32(at + runtime.offset, one.runtime, true);
    nf.memory.setUint32(at + flows.offset, one.flows ?? 0, true);
    nf.memory.setUint16(at + load_permille.offset, one.load ?? 0, true);
    nf.memory.setUint16(at + flags.offset, one.flags ?? 0, true);
  });
  return nf.exports["migration-target"]!(CALL.cluster, runtimes.length, 0, 0);
}
const { OWN, DRAINING } = RuntimeFlag;

test("the least loaded runtime that takes flows, by flows where loads are equal; its own where none is better", () => {
  expect(target({ runtime: 1, load: 900, flags: OWN }, { runtime: 2, load: 300 }, { runtime: 7, load: 301 })).toBe(2);
  expect(target({ runtime: 1, load: 900, flags: OWN }, { runtime: 2, load: 300, flags: DRAINING }, { runtime: 7, load: 301 })).toBe(7);
  expect(target({ runtime: 2, load: 5, flows: 7 }, { runtime: 3, load: 5, flows: 9, flags: OWN })).toBe(2);
  expect(target({ runtime: 2, load: 5, flows: 9 }, { runtime: 3, load: 5, flows: 9, flags: OWN })).toBe(3);
  expect(target({ runtime: 4, load: 1000, flags: OWN })).toBe(4);
});

test("each field as it is", () => {
  const before = [0, 1, 2, 3].map(nf.counter);
  target({ runtime: 5 }, { runtime: 15, flows: 4_000_000_000, load: 1000, flags: OWN | DRAINING });
  const after = [0, 1, 2, 3].map(nf.counter);
  expect(after.map((n, i) => n - before[i]!)).toEqual([15n, 4_000_000_000n, 1000n, 1n]);
});

test("outside of migrationTarget there is no cluster", () => {
  expect(() => target({ runtime: 5 })).toThrow();
});

test("arrived knows why", () => {
  expect(nf.exports["flow-arrived"]!(0, 0, 1)).toBe(0);
});
