/**
 * The hostile corpus on the simulator, with a well-behaved NF behind it in the chain: what has to become of each entry becomes of it, and the
 * neighbour sees exactly the packets that the hostile one let through, without a fault of its own.
 */
import { describe, expect, it } from "vitest";
import { NfError } from "@nfactor/sdk/errors";
import { type AdmittedNf, checkComponent } from "@nfactor/sdk/admission";
import { type SimulationReport, simulate } from "@nfactor/sdk/simulator";
import { bareComponent, metadataOf } from "../../sdk/admission/testing/artifact.ts";
import { assemble } from "./assemble.ts";
import { HOSTILE_RUNS, type HostileEntry, buildHostile } from "./corpus.ts";
import { type Outcome, SECRET, judge, traffic } from "./judge.ts";

type ChainEntry = Parameters<typeof simulate>[0]["chain"][number];
const EMPTY_CONFIG = Uint8Array.of(0x90);

/** Keeps the secret in each flow's state, and counts its packets. */
const NEIGHBOUR = `(func $packet (param $result i32) (param $descriptor i32)
  (i64.store (i32.load offset={{record.descriptor.state}} (local.get $descriptor)) (i64.const ${Buffer.from(SECRET).readBigUInt64LE()}))
  (i64.store (i32.const {{result.counters}}) (i64.add (i64.load (i32.const {{result.counters}})) (i64.const 1)))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))`;

async function admitted(component: Uint8Array): Promise<AdmittedNf> {
  const { nf, refusals } = await checkComponent(component);
  expect(refusals).toEqual([]);
  return nf!;
}

async function neighbour(): Promise<AdmittedNf> {
  const core = assemble({ text: NEIGHBOUR, stateBytes: 8, heapPages: 1, omit: [], allFeatures: false });
  return admitted(bareComponent(core, metadataOf({ name: "neighbour", counters: ["packets"] }, 8)));
}

function chainEntry(entry: string, { manifest, core, digest, stateSchema }: AdmittedNf): ChainEntry {
  return { entry, manifest, core, digest, stateSchema, config: EMPTY_CONFIG, rights: manifest.rights, leaseSize: 0 };
}

async function run(entry: HostileEntry): Promise<SimulationReport | NfError> {
  const chain = [chainEntry("hostile", await admitted(await buildHostile(entry.name))), chainEntry("neighbour", await neighbour())];
  try {
    return simulate(
      { chain, flows: { max: 64 } },
      traffic().map(({ timestampNs, bytes }) => ({ timestampNs, bytes, wireLength: bytes.length })),
    );
  } catch (error) {
    if (error instanceof NfError) return error;
    throw error;
  }
}

function outcomeOf(report: SimulationReport | NfError): Outcome {
  if (report instanceof NfError) return { startError: report.code, faults: [], received: 0n, dropped: {}, sent: [], counters: [] };
  const { counters, events, output } = report;
  const hostile = counters.nfs.find(({ entry }) => entry === "hostile")!;
  return {
    faults: events.flatMap((event) => (event.type === "fault" && event.entry === "hostile" ? [event] : [])),
    received: counters.received,
    dropped: counters.dropped,
    sent: output.map(({ bytes }) => bytes),
    counters: Object.values(hostile.counters),
  };
}

/** Exports that the packet path does not call yet: state stays on one runtime. */
const NOT_CALLED: readonly string[] = ["migration-target", "flow-arrived", "flow-left", "migrate-state"];

describe("on the simulator", () => {
  it.each(HOSTILE_RUNS.filter(({ run: { in: name } }) => !NOT_CALLED.includes(name)))("$name: $tries", async (entry) => {
    const report = await run(entry);
    judge(entry, outcomeOf(report));
    if (report instanceof NfError) return;
    const { counters, events, output } = report;
    expect(events.filter((event) => event.entry === "neighbour")).toEqual([]);
    const packets = counters.nfs.find(({ entry: name }) => name === "neighbour")!.counters["packets"];
    expect(packets).toBe(BigInt(output.length) + (counters.dropped["key_changed"] ?? 0n));
  });
});
