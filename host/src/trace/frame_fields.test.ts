import { expect, test } from "vitest";
import { frameChanges, frameFields, frameTitle } from "./frame_fields.ts";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const ETHERNET = "020000000002 020000000001";
const tcp4 = (source: string, port: string, checksums: string, ttl = "40"): Uint8Array =>
  hex(`${ETHERNET} 0800 45000028 00010000 ${ttl}06 ${checksums} ${source} c0000207 ${port} 0050 00000001 00000000 5002 ffff ${checksums} 0000`);

test("a NAT's changes have names", () => {
  const before = tcp4("0a000001", "a410", "1111");
  const after = tcp4("c0000201", "ef32", "2222", "3f");
  expect(frameTitle(before)).toBe("tcp 10.0.0.1:42000 > 192.0.2.7:80 [SYN]");
  expect(frameChanges(before, after)).toEqual([
    { field: "ip.ttl", from: "64", to: "63" },
    { field: "ip.checksum", from: "0x1111", to: "0x2222" },
    { field: "ip.src", from: "10.0.0.1", to: "192.0.2.1" },
    { field: "tcp.src_port", from: "42000", to: "61234" },
    { field: "tcp.checksum", from: "0x1111", to: "0x2222" },
  ]);
  expect(frameChanges(before, before)).toEqual([]);
});

test("bytes without a name are told as hex, within bounds", () => {
  const before = new Uint8Array(200);
  before.set(tcp4("0a000001", "a410", "1111"));
  const after = before.slice();
  after.set([0xab, 0xcd], 60);
  after.fill(0x77, 100, 150);
  expect(frameChanges(before, after)).toEqual([
    { field: "bytes 60-61", from: "0000", to: "abcd" },
    { field: "bytes 100-113", from: "00".repeat(14), to: "77".repeat(14) },
    { field: "other bytes", from: "36", to: "changed" },
  ]);
});

test("a VLAN tag that goes is one change, not one of all bytes behind it", () => {
  const plain = tcp4("0a000001", "a410", "1111");
  const tagged = new Uint8Array([...plain.subarray(0, 12), 0x81, 0x00, 0x00, 0x05, ...plain.subarray(12)]);
  expect(frameChanges(tagged, plain)).toEqual([
    { field: "vlan", from: "5", to: "-" },
    { field: "bytes kept", from: "58", to: "54" },
  ]);
});

test("IPv6 with an extension header, ICMP, and what is cut off or no IP", () => {
  const six = hex(
    `${ETHERNET} 86dd 60000000 0010 00 40 ${"20010db8" + "0".repeat(23) + "1"} ${"fd00" + "0".repeat(27) + "2"} 1100000000000000 1000 0035 0008 0000`,
  );
  expect(frameTitle(six)).toBe("udp [2001:db8::1]:4096 > [fd00::2]:53");
  expect(frameTitle(hex(`${ETHERNET} 0800 4500001c 00010000 4001 0000 0a000001 0a000002 0800 0000 0001 0002`))).toBe("icmp 10.0.0.1 > 10.0.0.2");
  expect(frameTitle(hex(`${ETHERNET} 0806 0001`))).toBe("02:00:00:00:00:01 > 02:00:00:00:00:02");
  for (let length = 0; length < six.length; length++) expect(frameFields(six.subarray(0, length)).every(({ to }) => to <= length)).toBe(true);
});
