/** Texts of tests → addresses: `10.0.0.1:1000 > 10.0.0.2:53`, `[fd00::1]:1000 > [fd00::2]:53`, without ports for protocols that have none. */
import { BlockList, isIPv4, isIPv6 } from "node:net";

export interface Endpoint {
  address: string;
  port: number;
}

export interface Path {
  ipVersion: 4 | 6;
  source: Endpoint;
  destination: Endpoint;
}

/** Throws for anything else, naming what was given. */
export function parsePath(text: string): Path {
  const parts = text.split(">").map((part) => part.trim());
  const [source, destination] = [endpoint(parts[0] ?? ""), endpoint(parts[1] ?? "")];
  if (parts.length !== 2 || !source || !destination || isIPv4(source.address) !== isIPv4(destination.address)) {
    throw new TypeError(`'${text}' is no pair of endpoints; write '10.0.0.1:1000 > 10.0.0.2:53' or '[fd00::1]:1000 > [fd00::2]:53'`);
  }
  return { ipVersion: isIPv4(source.address) ? 4 : 6, source, destination };
}

function endpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([\d.]+)|([0-9a-fA-F:.]+))(?::(\d{1,5}))?$/.exec(text);
  const bare = isIPv6(text) ? text : undefined;
  const address = bare ?? match?.[1] ?? match?.[2] ?? match?.[3];
  const port = bare === undefined ? Number(match?.[4] ?? 0) : 0;
  if (address === undefined || port > 65_535 || !(isIPv4(address) || isIPv6(address))) return undefined;
  return { address, port };
}

/** 4 or 16 bytes in network order. */
export function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split(".").map(Number));
  const [head = "", tail] = address
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
      const [a, b, c, d] = bytes.slice(0, 4).map(Number) as [number, number, number, number];
      return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    })
    .split("::");
  const groups = (text: string) =>
    text
      .split(":")
      .filter((g) => g !== "")
      .map((g) => Number.parseInt(g, 16));
  const [front, back] = [groups(head), groups(tail ?? "")];
  const all = [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
  return Uint8Array.from(all.flatMap((g) => [g >> 8, g & 255]));
}

/** True when both texts name the same address. */
export function sameAddress(a: string, b: string): boolean {
  if (isIPv4(a) !== isIPv4(b)) return false;
  const list = new BlockList();
  list.addAddress(a, isIPv4(a) ? "ipv4" : "ipv6");
  return list.check(b, isIPv4(b) ? "ipv4" : "ipv6");
}
