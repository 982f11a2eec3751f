import { describe, expect, test } from "vitest";
import { addressBytes, parsePoint, traceFilter } from "./filter.ts";

const mapped = (ipv4: string): string => `00000000000000000000ffff${ipv4}`;
const nothing = "0".repeat(32);

describe("words as a filter", () => {
  test.each([
    ["", { ends: [] }],
    ["tcp port 80", { protocol: 6, ends: [{ address: nothing, bits: 0, port: 80 }] }],
    ["udp and :53", { protocol: 17, ends: [{ address: nothing, bits: 0, port: 53 }] }],
    ["host 10.0.0.1", { ends: [{ address: mapped("0a000001"), bits: 128 }] }],
    ["net 10.0.0.0/8", { ends: [{ address: mapped("0a000000"), bits: 104 }] }],
    ["10.0.0.1:80 ip47", { protocol: 47, ends: [{ address: mapped("0a000001"), bits: 128, port: 80 }] }],
    ["[fd00::1]:80", { ends: [{ address: "fd000000000000000000000000000001", bits: 128, port: 80 }] }],
    ["net 2001:db8::/32", { ends: [{ address: "20010db8000000000000000000000000", bits: 32 }] }],
  ])("%s", (words, filter) => expect(traceFilter([words])).toEqual(filter));

  test.each([
    ["firewall.tag=1", "is a field of a state"],
    ["tcp udp", "a packet has one protocol"],
    ["ip300", "no protocol"],
    ["port http", "'port http' is not understood"],
    ["port", "'port' is not understood"],
    ["host 10.0.0.0/8", "not understood"],
    ["tpc", "'tpc' is not understood"],
    [Array(9).fill(":80").join(" "), "too many"],
  ])("%s is refused", (words, why) => expect(() => traceFilter([words])).toThrow(why));

  test("addresses", () => {
    const hex = (address: string): string => Buffer.from(addressBytes(address)).toString("hex");
    expect(hex("::")).toBe(nothing);
    expect(hex("::ffff:10.0.0.1")).toBe(mapped("0a000001"));
    expect(hex("1:2:3:4:5:6:7:8")).toBe("00010002000300040005000600070008");
    expect(hex("fe80::a:b")).toBe("fe8000000000000000000000000a000b");
  });
});

describe("points", () => {
  test("ports and entries", () => {
    expect(parsePoint("client", ["fw"])).toEqual({ port: "client" });
    expect(parsePoint("fw:out", ["nat", "fw"])).toEqual({ entry: "fw", side: "out" });
  });
  test.each(["fw", "fw:", "fw:both", "other:in", "", "fw:in:out"])("'%s' is none, and what there is is said", (text) => {
    expect(() => parsePoint(text, ["fw"])).toThrow(/no point of this chain/);
    try {
      parsePoint(text, ["fw"]);
    } catch (error) {
      expect(error).toMatchObject({ code: "trace.point", allowed: "client, server, fw:in, fw:out" });
    }
  });
});
