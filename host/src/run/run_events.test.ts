/** Where faults of an NF that is swapped again and again are said to be. */
import { FaultKind } from "@nfactor/sdk/abi";
import { expect, test } from "vitest";
import type { FaultEvent } from "../dataplane/native_types.ts";
import { FlowList } from "./flow_list.ts";
import { RunEvents } from "./run_events.ts";

const versionOf = (entry: string, number: number) => ({
  entry,
  digest: `${number}`.padStart(64, "0"),
  source: { folder: "", author: () => ({ file: `assembly/v${number}.ts`, line: 7, column: 3 }), lineOf: () => undefined },
});

test("a fault's place is that of its version, also just after a swap, and of an entry that others are swapped beside", () => {
  const said: string[] = [];
  const events = new RunEvents([], new FlowList({ which: "last", flows: 0 }), (text) => void said.push(text));
  const placeOfFault = ({ entry, digest }: { entry: string; digest: string }): string | undefined => {
    events.take({
      ...{ type: "fault", entry, digest, name: "nf", version: "1.0.0", kind: FaultKind.out_of_bounds, message: "", file: "", line: 0, column: 0 },
      ...{ backtrace: [], call: "process-burst", action: "drop", packetsDropped: 1, faultsInMinute: 1, nowNs: 0n },
    } satisfies FaultEvent);
    return /assembly\/\w+\.ts:7:3/.exec(said.at(-1) ?? "")?.[0];
  };
  const stays = versionOf("stays", 0);
  events.know(stays);
  const swapped = Array.from({ length: 100 }, (_, i) => versionOf("swapped", i + 1));
  for (const version of swapped) events.know(version);
  expect(placeOfFault(stays)).toBe("assembly/v0.ts:7:3");
  expect(placeOfFault(swapped[99]!)).toBe("assembly/v100.ts:7:3");
  expect(placeOfFault(swapped[98]!)).toBe("assembly/v99.ts:7:3");
  said.length = 0;
  // What was swapped away long ago is not kept for ever; its faults are told without a place.
  expect(placeOfFault(swapped[0]!)).toBeUndefined();
  expect(events.faults.total).toBe(4);
});
