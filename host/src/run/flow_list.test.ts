import { expect, test } from "vitest";
import type { FlowJson } from "../result/run_result.ts";
import { FlowList } from "./flow_list.ts";

const flow = (port: number): FlowJson => ({
  key: { protocol: "udp", initiator: { address: "10.0.0.1", port }, responder: { address: "10.0.0.2", port: 53 }, vlan: [] },
  packets: [1, 0],
  bytes: [60, 0],
  nfs: {},
});
const ports = (list: FlowList) => [...list.json()].map((json) => (JSON.parse(json) as FlowJson).key.initiator.port);
/** Flow 1 lives longest: it ends last. */
const endedOutOfOrder = [...Array.from({ length: 999 }, (_, i) => i + 2), 1];

test("all flows, in order of their first packet and not of their end", () => {
  const list = new FlowList({ which: "all" });
  for (const n of endedOutOfOrder) list.add(BigInt(n), () => flow(n));
  expect(ports(list)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
  expect(list.omitted).toBe(0);
});

test("a bounded list of a capture keeps the first ones", () => {
  const list = new FlowList({ which: "first", flows: 3 });
  for (const n of endedOutOfOrder) list.add(BigInt(n), () => flow(n));
  expect(ports(list)).toEqual([1, 2, 3]);
  expect([list.total, list.omitted]).toEqual([1000, 997]);
});

test("flows that will not be kept are not even read", () => {
  const list = new FlowList({ which: "first", flows: 3 });
  let made = 0;
  for (let n = 1; n <= 1000; n++) {
    list.add(BigInt(n), () => {
      made += 1;
      return flow(n);
    });
  }
  expect(ports(list)).toEqual([1, 2, 3]);
  expect(made).toBeLessThan(100);
});

test("a bounded list of a live run keeps those that ended last", () => {
  const list = new FlowList({ which: "last", flows: 3 });
  for (const n of endedOutOfOrder) list.add(BigInt(n), () => flow(n));
  expect(ports(list)).toEqual([1, 999, 1000]);
});

test("none when none are wanted", () => {
  const list = new FlowList({ which: "last", flows: 0 });
  for (const n of endedOutOfOrder) list.add(BigInt(n), () => flow(n));
  expect(ports(list)).toEqual([]);
  expect(list.omitted).toBe(1000);
});
