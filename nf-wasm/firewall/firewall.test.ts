// What the rules decide, and for how long.
import { expect, test } from "vitest";
import { NfError } from "@nfactor/sdk/errors";
import { StartError } from "@nfactor/sdk/simulator";
import { fragments, icmp, icmpEcho, icmpError, ip, loadNf, tcp, udp } from "@nfactor/sdk/test";

const POLICY = "DROP policy";
const HERE = import.meta.dirname;
const SERVER = { port: "server" } as const;

test("without configuration everything passes", async () => {
  const nf = await loadNf(HERE);
  const frames = [
    udp("10.0.0.1:1 > 10.0.0.2:53"),
    tcp("10.0.0.1:1 > 10.0.0.2:53", { flags: "S" }),
    icmpEcho("10.0.0.1 > 10.0.0.2"),
    ip("10.0.0.1 > 10.0.0.2", 47, "gre"),
    udp("[fd00::1]:1 > [fd00::2]:53"),
  ];
  expect(nf.send(frames).map(String)).toEqual(frames.map(() => "FORWARD"));
  expect(nf.counters()).toEqual({ allowed_flows: 5n, blocked_flows: 0n, midstream_flows: 0n });
});

test("a rule drops by protocol, side, prefix and ports; the flow stays blocked by its tag", async () => {
  const nf = await loadNf(HERE, { default: "allow", rules: [{ action: "drop", protocol: "tcp", side: "client", to: "10.0.0.0/8", ports: "23-25" }] });
  const syn = (path: string) => tcp(path, { flags: "S" });
  expect(String(nf.sendOne(syn("192.0.2.1:4000 > 10.1.2.3:23")))).toBe(POLICY);
  expect(nf.flow("tcp 192.0.2.1:4000 > 10.1.2.3:23").state).toMatchObject({ tag: 128, rule: 1 });
  expect(String(nf.sendOne(tcp("10.1.2.3:23 > 192.0.2.1:4000", { flags: "SA", ack: 1 }), SERVER))).toBe(POLICY);
  expect(String(nf.sendOne(tcp("192.0.2.1:4000 > 10.1.2.3:23", { seq: 1 })))).toBe(POLICY);
  expect(nf.hasFlow("tcp 192.0.2.1:4000 > 10.1.2.3:23")).toBe(true);
  const others = ["192.0.2.1:4000 > 10.1.2.3:22", "192.0.2.1:4000 > 10.1.2.3:26", "192.0.2.1:4000 > 11.1.2.3:23"];
  expect(nf.send(others.map(syn)).map(String)).toEqual(["FORWARD", "FORWARD", "FORWARD"]);
  expect(String(nf.sendOne(udp("192.0.2.1:4000 > 10.1.2.3:23")))).toBe("FORWARD");
  expect(String(nf.sendOne(syn("192.0.2.9:4000 > 10.1.2.3:25"), SERVER))).toBe("FORWARD");
  expect(nf.packets.dropped).toEqual({ "firewall.policy": 3 });
});

test("the first rule that matches decides, and the default what none matches", async () => {
  const nf = await loadNf(HERE, {
    default: "drop",
    rules: [
      { action: "drop", protocol: "udp", from: "10.0.0.7" },
      { action: "allow", protocol: "udp", from: "10.0.0.0/24", ports: 53 },
      { action: "drop", from: "10.0.0.0/24" },
      { action: "allow", from: "10.0.0.0/16" },
    ],
  });
  const asked = ["10.0.0.7:1 > 1.1.1.1:53", "10.0.0.8:1 > 1.1.1.1:53", "10.0.0.8:1 > 1.1.1.1:54", "10.0.1.8:1 > 1.1.1.1:54", "10.1.0.8:1 > 1.1.1.1:54"];
  expect(nf.send(asked.map((path) => udp(path))).map(String)).toEqual([POLICY, "FORWARD", POLICY, "FORWARD", POLICY]);
  expect(asked.map((path) => nf.flow(`udp ${path}`).state["rule"])).toEqual([1, 2, 3, 4, 0]);
});

test("replies of allowed flows pass, whatever the rules say of their direction", async () => {
  const nf = await loadNf(HERE, { default: "drop", rules: [{ action: "allow", side: "client" }] });
  expect(String(nf.sendOne(udp("[2001:db8::1]:5000 > [2001:db8:1::2]:53")))).toBe("FORWARD");
  expect(String(nf.sendOne(udp("[2001:db8:1::2]:53 > [2001:db8::1]:5000"), SERVER))).toBe("FORWARD");
  expect(String(nf.sendOne(udp("[2001:db8:1::2]:53 > [2001:db8::1]:5001"), SERVER))).toBe(POLICY);
});

test("in a blocked flow, a SYN of the other side has the rules asked again", async () => {
  const nf = await loadNf(HERE, { default: "drop", rules: [{ action: "allow", side: "client" }] });
  expect(String(nf.sendOne(tcp("10.0.0.2:80 > 10.0.0.1:4000", { flags: "A" }), SERVER))).toBe(POLICY); // something late
  expect(String(nf.sendOne(tcp("10.0.0.1:4000 > 10.0.0.2:80", { flags: "S", seq: 7 })))).toBe("FORWARD");
  expect(String(nf.sendOne(tcp("10.0.0.2:80 > 10.0.0.1:4000", { flags: "SA", seq: 9, ack: 8 }), SERVER))).toBe("FORWARD");
  expect(nf.flow("tcp 10.0.0.2:80 > 10.0.0.1:4000").state).toMatchObject({ tag: 0, rule: 1, stage: 2 });
});

test("and they may say no again", async () => {
  const nf = await loadNf(HERE, { rules: [{ action: "drop", protocol: "tcp" }] });
  const back = (flags: string) => String(nf.sendOne(tcp("10.0.0.2:80 > 10.0.0.1:4000", { flags }), SERVER));
  expect([String(nf.sendOne(tcp("10.0.0.1:4000 > 10.0.0.2:80", { flags: "S" }))), back("S"), back("SA")]).toEqual([POLICY, POLICY, POLICY]);
  expect(nf.flow("tcp 10.0.0.1:4000 > 10.0.0.2:80").state).toMatchObject({ tag: 128, rule: 1 });
});

test("ICMP: by type; replies pass; other questions of the same hosts meet the rules", async () => {
  const nf = await loadNf(HERE, {
    default: "drop",
    rules: [
      { action: "allow", protocol: "icmp", side: "client", icmpType: "echo-request" },
      { action: "allow", protocol: "icmpv6", icmpType: 128 },
      { action: "allow", protocol: "icmp", icmpType: "9/16" },
    ],
  });
  expect(String(nf.sendOne(icmpEcho("10.0.0.1 > 10.0.0.2")))).toBe("FORWARD");
  expect(String(nf.sendOne(icmpEcho("10.0.0.2 > 10.0.0.1", { reply: true }), SERVER))).toBe("FORWARD");
  expect(String(nf.sendOne(icmpEcho("10.0.0.2 > 10.0.0.1"), SERVER))).toBe(POLICY); // same identifier, but a question
  expect(String(nf.sendOne(icmp("10.0.0.1 > 10.0.0.2", 13, 0, [0, 1, 0, 1, ...Array<number>(12).fill(0)])))).toBe(POLICY);
  expect(String(nf.sendOne(icmpEcho("10.0.0.1 > 10.0.0.2", { sequence: 2 })))).toBe("FORWARD");
  expect(String(nf.sendOne(icmpEcho("10.0.0.1 > 10.0.0.2", { identifier: 2, reply: true })))).toBe(POLICY);
  expect(String(nf.sendOne(icmpEcho("fd00::1 > fd00::2")))).toBe("FORWARD");
  expect(String(nf.sendOne(icmpEcho("fd00::2 > fd00::1", { reply: true }), SERVER))).toBe("FORWARD");
  expect(nf.send([icmp("10.0.0.1 > 10.0.0.2", 9, 16, [0, 0, 0, 0]), icmp("10.0.0.1 > 10.0.0.2", 9, 0, [0, 0, 0, 0])]).map(String)).toEqual(["FORWARD", POLICY]);
});

test("ICMP errors go with the flow that they are about", async () => {
  const nf = await loadNf(HERE, { default: "drop", rules: [{ action: "allow", protocol: "udp", ports: 53 }] });
  const [good, bad] = [udp("10.0.0.1:1 > 10.0.0.2:53"), udp("10.0.0.1:1 > 10.0.0.2:54")];
  nf.send([good, bad]);
  expect([good, bad].map((frame) => String(nf.sendOne(icmpError(frame, { from: "10.9.9.9", type: 11, code: 0 }), SERVER)))).toEqual(["FORWARD", POLICY]);
  const unknown = icmpError(udp("10.0.0.1:2 > 10.0.0.2:53"));
  expect(String(nf.sendOne(unknown, SERVER))).toBe("DROP icmp_error_no_flow");
});

test("fragments go with their first one", async () => {
  const nf = await loadNf(HERE, { default: "drop", rules: [{ action: "allow", protocol: "udp", ports: 53 }] });
  for (const path of ["10.0.0.1:1 > 10.0.0.2:53", "[fd00::1]:1 > [fd00::2]:53"]) {
    const parts = fragments(udp(path, { payload: "x".repeat(4000) }), 1400, 7);
    expect(nf.send(parts).map(String)).toEqual(parts.map(() => "FORWARD"));
  }
  const parts = fragments(udp("10.0.0.1:1 > 10.0.0.2:54", { payload: "x".repeat(4000) }), 1400, 8);
  expect(nf.send([parts[1]!, parts[0]!, parts[2]!]).map(String)).toEqual([POLICY, POLICY, POLICY]);
});

test("other protocols by number or name, and ports mean every protocol that has them", async () => {
  const nf = await loadNf(HERE, {
    rules: [
      { action: "drop", protocol: 47 },
      { action: "drop", protocol: "esp", to: "fd00::/8" },
      { action: "drop", ports: "0-99" },
    ],
  });
  const ported = (protocol: number, destination: number) => ip("10.0.0.1 > 10.0.0.2", protocol, [0, 9, 0, destination, ...Array<number>(12).fill(0)]);
  expect(nf.send([ip("10.0.0.1 > 10.0.0.2", 47, "x"), ip("10.0.0.1 > 10.0.0.2", 50, "x"), ip("fd00::1 > fd00::2", 50, "x")]).map(String)).toEqual([
    POLICY,
    "FORWARD",
    POLICY,
  ]);
  const frames = [
    udp("10.0.0.1:1 > 10.0.0.2:99"),
    udp("10.0.0.1:1 > 10.0.0.2:100"),
    tcp("10.0.0.1:1 > 10.0.0.2:0", { flags: "S" }),
    ported(132, 9),
    ported(132, 200),
    ported(136, 9),
    icmpEcho("10.0.0.1 > 10.0.0.2", { identifier: 9 }),
    ip("10.0.0.1 > 10.0.0.2", 2, "x"),
  ];
  expect(nf.send(frames).map(String)).toEqual([POLICY, "FORWARD", POLICY, POLICY, "FORWARD", POLICY, "FORWARD", "FORWARD"]);
});

test.each([
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3", "10.1.2.4", false],
  ["0.0.0.0/0", "10.1.2.3", true],
  ["0.0.0.0/0", "fd00::1", false],
  ["::/0", "10.1.2.3", false],
  ["::/0", "fd00::1", true],
  ["10.1.2.3/31", "10.1.2.2", true], // bits behind the length do not count
  ["255.255.255.255/1", "128.0.0.1", true],
  ["2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true],
  ["2001:db8::/33", "2001:db8:8000::1", false],
  ["::1", "::1", true],
  ["1::", "1::", true],
  ["1::8", "1:0:0:0:0:0:0:8", true],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", true],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", true],
  ["1:2:3:4:5:6:7::/112", "1:2:3:4:5:6:7:9", true],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221", true],
  ["64:FF9B::/96", "64:ff9b::1.2.3.4", true],
  ["::ffff:10.1.2.3", "10.1.2.3", false], // an IPv6 address, if a strange one
])("from %s matches %s: %s", async (prefix, address, matches) => {
  const nf = await loadNf(HERE, { rules: [{ action: "drop", from: prefix }] });
  const path = address.includes(":") ? `[${address}]:1 > [fd00::2]:53` : `${address}:1 > 10.9.9.9:53`;
  expect(String(nf.sendOne(udp(path)))).toBe(matches ? POLICY : "FORWARD");
});

async function complaint(config: object): Promise<string> {
  try {
    await loadNf(HERE, config);
  } catch (error) {
    if (error instanceof StartError) return error.lines.join("\n");
    if (error instanceof NfError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "accepted";
}

test.each([
  [{ action: "drop", ports: "25-23" }, /^config\.port_range: .*rules\[0\]\.ports.*first is above the last/],
  [{ action: "drop", ports: "1,70000" }, /^config\.port_range: .*rules\[0\]\.ports/],
  [{ action: "drop", from: "10.0.0.0/33" }, /^config\.prefix: .*rules\[0\]\.from/],
  [{ action: "drop", to: "fe80::1%eth0" }, /rules\[0\]\.to.*no address or prefix/],
  [{ action: "drop", from: "10.0.0.0/8", to: "fd00::/8" }, /rules\[0\]\.to.*different IP versions/],
  [{ action: "drop", protocol: "tpc" }, /rules\[0\]\.protocol.*'tpc' is no protocol/],
  [{ action: "drop", protocol: 256 }, /rules\[0\]\.protocol.*no protocol/],
  [{ action: "drop", protocol: "gre", ports: 25 }, /rules\[0\]\.ports.*has no ports/],
  [{ action: "drop", icmpType: 8 }, /rules\[0\]\.icmpType.*needs protocol icmp/],
  [{ action: "drop", protocol: "icmp", icmpType: "8/256" }, /rules\[0\]\.icmpType.*no ICMP type/],
  [{ action: "drop", protocol: "icmp", from: "fd00::/8" }, /rules\[0\]\.protocol.*icmpv6/],
  [{ action: "deny" }, /^config\.field: .*rules\[0\]\.action/],
  [{ protocol: "tcp" }, /lacks 'action'/],
  [{ action: "drop", ports: Array.from({ length: 65 }, (_, i) => i * 2).join(",") }, /more than 64 ranges/],
])("a rule that makes no sense: %j", async (rule, message) => {
  expect(await complaint({ rules: [rule] })).toMatch(message);
});

test("the rule that is wrong is named by its number", async () => {
  expect(await complaint({ rules: [{ action: "allow" }, { action: "drop" }, { action: "drop", protocol: "gre", ports: 1 }] })).toMatch(/rules\[2\]\.ports/);
});
