/**
 * The hostile corpus on the native dataplane, between NFs that must not notice: the process lives, what was tried is reported and contained, and
 * nobody else loses a packet, a byte or a state.
 *
 * Others are the NFs before and behind the hostile one, a second runtime of this process (another tenant) that runs at the same time, and, where an
 * entry does its harm packet by packet, the flows that it leaves alone. The other entries can put the blame on any packet of a call, as every NF can
 * drop any packet that it is shown: of them no more is wanted than of `judge`.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { faultKindName } from "@nfactor/sdk/abi";
import { readCapture } from "@nfactor/sdk/capture";
import { NfError } from "@nfactor/sdk/errors";
import type { PreparedNf } from "../../host/src/nf/prepare.ts";
import { CALLED_RUNS, buildHostile, canBeHeldToFlows } from "./corpus.ts";
import { type Outcome, judge } from "./judge.ts";
import { type NativeOutcome, prepared, runNative, shipped } from "./native_run.ts";
import { buildNeighbour } from "./neighbour.ts";
import { type TestPacket, VICTIM_PORT, mixedTraffic, traffic } from "./traffic.ts";

const mixed = mixedTraffic();
const hex = (packets: readonly Uint8Array[]): string[] => packets.map((bytes) => Buffer.from(bytes).toString("hex"));
const others = new Set(hex(mixed.others.map(({ bytes }) => bytes)));

let around: { before: PreparedNf[]; behind: PreparedNf[] };
/** What the others look like when nobody is hostile. */
let undisturbed: NativeOutcome;
let tenant: { chain: PreparedNf[]; packets: TestPacket[]; alone: NativeOutcome };

beforeAll(async () => {
  const [monitor, neighbour, firewall] = [await shipped("flow_monitor"), await prepared("neighbour", buildNeighbour()), await shipped("firewall")];
  around = { before: [monitor], behind: [neighbour, firewall] };
  undisturbed = await runNative([...around.before, ...around.behind], mixed.all);
  const chain = [await shipped("http_parser"), monitor, firewall];
  const packets = readCapture(new URL("../fixtures/http.pcap", import.meta.url).pathname).records;
  tenant = { chain, packets, alone: await runNative(chain, packets) };
});

function outcomeOf({ counters, faults, sent }: NativeOutcome): Outcome {
  const { received, dropped, nfs } = counters;
  const hostile = nfs.find(({ entry }) => entry === "hostile")!;
  return { faults: faults.filter(({ entry }) => entry === "hostile"), received, dropped, sent, counters: Object.values(hostile.counters) };
}

/** The same for the attacked flows alone: that the others are all there is for the caller to see. */
function outcomeOfVictims(outcome: NativeOutcome): Outcome {
  const sent = outcome.sent.filter((bytes) => !others.has(Buffer.from(bytes).toString("hex")));
  return { ...outcomeOf(outcome), received: outcome.counters.received - BigInt(mixed.others.length), sent };
}

/** Flows that were not attacked, with what every NF but the hostile one keeps of them. */
function otherFlows({ result }: NativeOutcome): unknown[] {
  const ofOthers = result.flows.filter(({ key }) => key.responder.port !== VICTIM_PORT);
  return ofOthers.map(({ nfs, ...flow }) => ({ ...flow, nfs: Object.entries(nfs).filter(([entry]) => entry !== "hostile") }));
}

describe("on the dataplane", () => {
  it.each(CALLED_RUNS)("$name: $tries", async (entry) => {
    const isHeld = canBeHeldToFlows(entry);
    const hostile = await prepared("hostile", await buildHostile(entry.name, isHeld ? { onlyPort: VICTIM_PORT } : {}));
    const chain = [...around.before, hostile, ...around.behind];
    const input = isHeld ? mixed.victims : traffic();
    const [ran, next] = await Promise.all([
      runNative(chain, isHeld ? mixed.all : input).catch((error: unknown) => {
        if (error instanceof NfError) return error;
        throw error;
      }),
      runNative(tenant.chain, tenant.packets),
    ]);
    expect({ ...next, counters: next.counters.dropped }).toEqual({ ...tenant.alone, counters: tenant.alone.counters.dropped });
    if (ran instanceof NfError) {
      judge(entry, { startError: ran.code, faults: [], received: 0n, dropped: {}, sent: [], counters: [] }, input);
      return;
    }

    judge(entry, isHeld ? outcomeOfVictims(ran) : outcomeOf(ran), input);
    if (isHeld) {
      expect(hex(ran.sent).filter((frame) => others.has(frame))).toEqual(hex(mixed.others.map(({ bytes }) => bytes)));
      expect(otherFlows(ran)).toEqual(otherFlows(undisturbed));
    }
    const { received, sent, emitted, held, dropped } = ran.counters;
    expect(received + emitted).toBe(sent + held + Object.values(dropped).reduce((sum, n) => sum + n, 0n));
    expect(ran.faults.filter(({ entry: name }) => name !== "hostile")).toEqual([]);
    // Reported to people too, as harmless text.
    const kinds = (faults: readonly { kind: string }[]): string[] => [...new Set(faults.map(({ kind }) => kind))];
    expect(kinds(ran.result.faults)).toEqual(kinds(ran.faults.map(({ kind }) => ({ kind: faultKindName(kind) }))));
    for (const text of ran.said) expect(text).toMatch(/^(\P{C}|\n)*$/u);
    expect(ran.said.some((text) => text.startsWith("fault  hostile "))).toBe(ran.faults.length > 0);
  });
});
