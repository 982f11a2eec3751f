import { expect, test } from "vitest";
import { parseFlowMatch } from "./flow_match.ts";
import type { FlowJson } from "./run_result.ts";

const flow: FlowJson = {
  key: { protocol: "tcp", initiator: { address: "10.0.0.1", port: 4242 }, responder: { address: "192.0.2.7", port: 80 }, vlan: [] },
  packets: [1, 1],
  bytes: [60, 60],
  nfs: { firewall: { tag: 1, name: "web" }, monitor: { first_ns: "18446744073709551615" } },
};
const six: FlowJson = { ...flow, key: { ...flow.key, initiator: { address: "fd00::1", port: 4242 }, responder: { address: "fd00::2", port: 80 } } };

test.each([
  ["tcp", true],
  ["udp", false],
  ["10.0.0.0/8", true],
  ["192.0.2.7", true],
  ["192.0.2.8", false],
  ["fd00::/8", false],
  [":80", true],
  [":81", false],
  ["10.0.0.1:4242", true],
  ["10.0.0.1:80", false],
  ["tcp :80 10.0.0.0/8", true],
  ["tcp :80 11.0.0.0/8", false],
  ["firewall.tag=1", true],
  ["firewall.tag!=1", false],
  ["firewall.tag>=2", false],
  ["firewall.name=web", true],
  ["firewall.none=1", false],
  ["monitor.first_ns>9007199254740993", true],
])("%s: %s", (words, expected) => {
  expect(parseFlowMatch([words])(flow)).toBe(expected);
});

test("IPv6 endpoints", () => {
  expect(parseFlowMatch(["[fd00::2]:80"])(six)).toBe(true);
  expect(parseFlowMatch(["fd00::/64"])(six)).toBe(true);
  expect(parseFlowMatch(["10.0.0.0/8"])(six)).toBe(false);
});

test("a word that means nothing is refused", () => {
  expect(() => parseFlowMatch(["tpc"])).toThrow("'tpc' is not understood");
  expect(() => parseFlowMatch(["10.0.0.0/40"])).toThrow(/not understood/);
  expect(() => parseFlowMatch([":65536"])).toThrow(/not understood/);
  expect(parseFlowMatch([":65535"])(six)).toBe(false);
});
