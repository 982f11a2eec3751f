import { expect, test } from "vitest";
import { type FlowJson, runResultSchema } from "../result/run_result.ts";
import { packetsJson } from "../result/flow_json.ts";
import { FlowList } from "./flow_list.ts";
import { type RunSummary, resultJson, summaryText } from "./result_text.ts";

const flow: FlowJson = {
  key: { protocol: "tcp", initiator: { address: "10.0.0.1", port: 4000 }, responder: { address: "fd00::2", port: 80 }, vlan: [7] },
  packets: [6, 5],
  bytes: [512, 4096],
  nfs: { fw: { tag: 0, seen: "12", name: "a\u001b[31m" }, none: { x: 0, y: [0, 0], z: "000000" } },
};

function summary(keep: number): RunSummary {
  const flows = new FlowList({ which: "first", flows: keep });
  for (const id of [2n, 1n, 3n]) flows.add(id, () => ({ ...flow, packets: [Number(id), 0] }));
  return {
    packets: { received: 1200, sent: 1190, held: 0, dropped: { "fw.policy": 9, malformed_ipv4: 1 } },
    flows,
    faults: [{ nf: "fw", kind: "out_of_bounds", message: "", file: "assembly/index.ts", line: 9, column: 5, count: 3 }],
  };
}

test("the JSON in pieces is one object of the published schema", () => {
  const text = [...resultJson(summary(2))].join("");
  expect(text.endsWith("}\n") && !text.slice(0, -1).includes("\n")).toBe(true);
  const result = runResultSchema.parse(JSON.parse(text));
  expect(result.flows.map(({ packets }) => packets[0])).toEqual([1, 2]);
  expect(result.flows_omitted).toBe(1);
  expect("flows_omitted" in (JSON.parse([...resultJson(summary(3))].join("")) as object)).toBe(false);
});

test("what the interfaces lost is told, when they lost something", () => {
  const { packets, ...rest } = summary(0);
  const lost = { packets: { ...packets, missed: 31 }, ...rest };
  expect(summaryText(lost).split("\n").slice(0, 2)).toEqual([
    "1,200 received, 1,190 sent, 10 dropped, 0 held",
    "the interfaces lost 31 packets before they came here: packets come faster than they are taken",
  ]);
  expect(runResultSchema.parse(JSON.parse([...resultJson(lost)].join(""))).packets.missed).toBe(31);
  expect(packetsJson({ received: 1n, sent: 1n, emitted: 0n, held: 0n, missed: 2n, dropped: {} })).toEqual({
    received: 1,
    sent: 1,
    held: 0,
    dropped: {},
    missed: 2,
  });
  expect("missed" in packetsJson({ received: 1n, sent: 1n, emitted: 0n, held: 0n, missed: 0n, dropped: {} })).toBe(false);
});

test("the text has counts by reason, flows with fields that are not zero, faults with their place", () => {
  expect(summaryText(summary(1)).split("\n")).toEqual([
    "1,200 received, 1,190 sent, 10 dropped, 0 held",
    "  9  fw.policy",
    "  1  malformed_ipv4  IPv4 header or total length inconsistent.",
    "3 flows",
    "  tcp 10.0.0.1:4000 > [fd00::2]:80 vlan 7  1 + 0 packets, 512 + 4,096 bytes",
    "    fw: seen=12 name=a\\u{1b}[31m",
    "    none: all fields zero",
    "  and 2 more; --flows shows more of them",
    "3 faults",
    "  3 × fw: out of bounds  assembly/index.ts:9:5",
  ]);
});
