/**
 * Faults on both engines: random traffic whose packets say what the NF is to do wrong, and the same bytes, drops, states and faults are wanted of the
 * dataplane and of the simulator, whatever the manifest says is to follow.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { faultKindName } from "@nfactor/sdk/abi";
import { simulate } from "@nfactor/sdk/simulator";
import { Random } from "@nfactor/sdk/test";
import { bareComponent, metadataOf } from "../../sdk/admission/testing/artifact.ts";
import type { PreparedNf } from "../../host/src/nf/prepare.ts";
import { flowJson } from "../../host/src/result/flow_json.ts";
import { ip, udpSegment } from "../conformance/frames.ts";
import { assemble } from "./assemble.ts";
import { prepared, runNative, shipped } from "./native_run.ts";
import { buildNeighbour } from "./neighbour.ts";
import type { TestPacket } from "./traffic.ts";

const SEED = Number(process.env["NF_HOSTILE_SEED"] ?? 20261126);

/** Does what the first byte of the payload says: 0 forward, 1 drop, 2 trap, 3 a breach, 4 end the flow; counts what it has seen in the state. */
const OBEDIENT = `(func $packet (param $result i32) (param $descriptor i32) (local $what i32) (local $state i32)
  (local.set $what (i32.load8_u (i32.load offset={{record.descriptor.payload}} (local.get $descriptor))))
  (local.set $state (i32.load offset={{record.descriptor.state}} (local.get $descriptor)))
  (i64.store (local.get $state) (i64.add (i64.load (local.get $state)) (i64.const 1)))
  (if (i32.eq (local.get $what) (i32.const 2)) (then (unreachable)))
  (if (i32.eq (local.get $what) (i32.const 3)) (then (i32.store16 offset={{record.result.out_port}} (local.get $result) (i32.const 1))))
  (if (i32.eq (local.get $what) (i32.const 4)) (then (i32.store16 offset={{record.result.flags}} (local.get $result) (i32.const {{flag.CLOSE_FLOW}}))))
  (i32.store8 (local.get $result) (select (i32.const {{verdict.DROP}}) (i32.const {{verdict.FORWARD}}) (i32.eq (local.get $what) (i32.const 1)))))`;

/** Bursts of a dozen flows in both directions; now and then a pause, in which refusals and windows of faults end. */
function traffic(seed: number): TestPacket[] {
  const random = new Random(seed);
  const [client, server] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
  ];
  let timestampNs = 1_000_000_000_000n;
  return Array.from({ length: 1500 }, () => {
    if (random.below(12) === 0) timestampNs += BigInt(random.below(8) === 0 ? random.below(3_000) : random.below(40)) * 1_000_000n;
    const [there, back] = [
      { address: client!, port: 1000 + random.below(12) },
      { address: server!, port: 53 },
    ];
    const what = random.below(9) === 0 ? 1 + random.below(4) : 0;
    const isBack = random.below(3) === 0;
    const segment = isBack ? udpSegment(back, there, [what, 1, 2]) : udpSegment(there, back, [what, 1, 2]);
    return { timestampNs, bytes: Uint8Array.from(isBack ? ip(server!, client!, 17, segment) : ip(client!, server!, 17, segment)) };
  });
}

let around: PreparedNf[];
beforeAll(async () => {
  around = [await shipped("flow_monitor"), await prepared("neighbour", buildNeighbour())];
});

const MODES = (["drop", "close_flow", "bypass"] as const).flatMap((onFault) => (["closed", "open"] as const).map((quarantine) => ({ onFault, quarantine })));

describe.each(MODES)("on_fault: $onFault, quarantine: $quarantine", ({ onFault, quarantine }) => {
  it.each([SEED, SEED + 1])("seed %d", async (seed) => {
    const core = assemble({ text: OBEDIENT, stateBytes: 8, heapPages: 1, omit: [], allFeatures: false });
    const manifest = { name: "obedient", rights: { view: "payload" as const }, on_fault: onFault, quarantine };
    const chain = [around[0]!, await prepared("obedient", bareComponent(core, metadataOf(manifest, 8))), around[1]!];
    const packets = traffic(seed);
    const native = await runNative(chain, packets);
    const simulated = simulate(
      { chain, flows: { max: 1024 } },
      packets.map(({ timestampNs, bytes }) => ({ timestampNs, bytes, wireLength: bytes.length })),
    );

    const faults = simulated.events.flatMap((event) => (event.type === "fault" ? [event] : []));
    const told = (all: readonly { kind: number; sequence?: number | undefined; nowNs: bigint }[]): string[] =>
      all.map(({ kind, sequence, nowNs }) => `${nowNs} ${faultKindName(kind)} packet ${sequence}`);
    expect(told(native.faults)).toEqual(told(faults));
    expect(native.counters.dropped).toEqual(simulated.counters.dropped);
    expect(native.sent.map((bytes) => Buffer.from(bytes))).toEqual(simulated.output.map(({ bytes }) => Buffer.from(bytes)));
    expect(native.result.flows).toEqual(simulated.flows.map((flow) => flowJson(flow, chain)));
    // Enough went wrong to be worth it.
    expect(faults.length).toBeGreaterThan(9);
    if (onFault === "close_flow") expect(simulated.counters.dropped["flow_refused"]).toBeGreaterThan(0n);
  });
});
