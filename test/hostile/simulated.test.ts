/**
 * The hostile corpus on the simulator, with a well-behaved NF behind it in the chain: what has to become of each entry becomes of it, and the
 * neighbour sees exactly the packets that the hostile one let through, without a fault of its own.
 */
import { describe, expect, it } from "vitest";
import { NfError } from "@nfactor/sdk/errors";
import { type AdmittedNf, checkComponent } from "@nfactor/sdk/admission";
import { type SimulationReport, simulate } from "@nfactor/sdk/simulator";
import { CALLED_RUNS, type HostileEntry, buildHostile } from "./corpus.ts";
import { type Outcome, judge } from "./judge.ts";
import { buildNeighbour } from "./neighbour.ts";
import { traffic } from "./traffic.ts";

type ChainEntry = Parameters<typeof simulate>[0]["chain"][number];
const EMPTY_CONFIG = Uint8Array.of(0x90);

async function admitted(component: Uint8Array): Promise<AdmittedNf> {
  const { nf, refusals } = await checkComponent(component);
  expect(refusals).toEqual([]);
  return nf!;
}

function chainEntry(entry: string, { manifest, core, digest, stateSchema }: AdmittedNf): ChainEntry {
  return { entry, manifest, core, digest, stateSchema, config: EMPTY_CONFIG, rights: manifest.rights, leaseSize: 0 };
}

async function run(entry: HostileEntry): Promise<SimulationReport | NfError> {
  const chain = [chainEntry("hostile", await admitted(await buildHostile(entry.name))), chainEntry("neighbour", await admitted(buildNeighbour()))];
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

describe("on the simulator", () => {
  it.each(CALLED_RUNS)("$name: $tries", async (entry) => {
    const report = await run(entry);
    judge(entry, outcomeOf(report), traffic());
    if (report instanceof NfError) return;
    const { counters, events, output } = report;
    expect(events.filter((event) => event.entry === "neighbour")).toEqual([]);
    const packets = counters.nfs.find(({ entry: name }) => name === "neighbour")!.counters["packets"];
    expect(packets).toBe(BigInt(output.length) + (counters.dropped["key_changed"] ?? 0n));
  });
});
