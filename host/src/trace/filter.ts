/** The words of a match as the fixed-size filter that the dataplane asks (dataplane-native/src/trace/filter.h), and points of a chain. */
import { isIP } from "node:net";
import { NfError } from "@nfactor/sdk/errors";
import { nearest } from "@nfactor/sdk/manifest";
import { PROTOCOLS } from "@nfactor/sdk/protocols";
import { matchTerms } from "../result/flow_match.ts";

/** Addresses as 16 bytes in hex, IPv4 mapped; `bits` of them count. */
export interface TraceFilter {
  protocol?: number;
  ends: { address: string; bits: number; port?: number }[];
}
const ENDS_MAX = 8;
const MAPPED_BITS = 96;

/** Throws NfError (usage): a word that is not understood, or that cannot be seen in a packet. */
export function traceFilter(words: readonly string[], what = "--match"): TraceFilter {
  const filter: TraceFilter = { ends: [] };
  for (const term of matchTerms(words, what)) {
    if (term.kind === "field") {
      throw new NfError("usage", `${what}: '${term.entry}.${term.name}' is a field of a state, which a packet does not show`, {
        allowed: "a protocol (tcp), addresses and prefixes (host 10.0.0.1, net 10.0.0.0/8), ports (port 80), address:port",
        fix: "'nfactor flows' finds the flows by fields; match the ports of one of them here.",
      });
    }
    if (term.kind === "protocol") {
      const protocol = PROTOCOLS[term.protocol] ?? Number(term.protocol.slice("ip".length));
      if (protocol > 255)
        throw new NfError("usage", `${what}: '${term.protocol}' is no protocol`, { allowed: "tcp, udp, icmp, icmpv6, sctp, udplite, ip0 to ip255" });
      if (filter.protocol !== undefined && filter.protocol !== protocol)
        throw new NfError("usage", `${what}: a packet has one protocol, and two are asked for`);
      filter.protocol = protocol;
      continue;
    }
    const { bytes, bits } = term.address === undefined ? { bytes: new Uint8Array(16), bits: 0 } : prefixOf(term.address);
    filter.ends.push({ address: Buffer.from(bytes).toString("hex"), bits, ...(term.port === undefined ? {} : { port: term.port }) });
  }
  if (filter.ends.length > ENDS_MAX)
    throw new NfError("usage", `${what}: ${filter.ends.length} addresses and ports are too many`, { allowed: `${ENDS_MAX} at most` });
  return filter;
}

function prefixOf(text: string): { bytes: Uint8Array; bits: number } {
  const [address = "", bits] = text.split("/");
  const bytes = addressBytes(address);
  const isFour = isIP(address) === 4;
  const most = isFour ? 32 : 128;
  return { bytes, bits: (bits === undefined ? most : Number(bits)) + (isFour ? MAPPED_BITS : 0) };
}

/** Of an address that is one. */
export function addressBytes(address: string): Uint8Array {
  const bytes = new Uint8Array(16);
  if (isIP(address) === 4) {
    bytes.set([0xff, 0xff, ...address.split(".").map(Number)], 10);
    return bytes;
  }
  // An IPv4 address at the end stands for two groups.
  const text = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${two(a, b)}:${two(c, d)}`);
  const [front = "", back] = text.split("::");
  const groups = (part: string): number[] => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const [before, behind] = [groups(front), back === undefined ? [] : groups(back)];
  const all = back === undefined ? before : [...before, ...Array<number>(8 - before.length - behind.length).fill(0), ...behind];
  all.forEach((group, i) => bytes.set([group >> 8, group & 0xff], 2 * i));
  return bytes;
}

const two = (a: string, b: string): string => ((Number(a) << 8) | Number(b)).toString(16);

/** Where a capture looks: an external port, or before or behind an NF. */
export type TracePoint = { port: "client" | "server" } | { entry: string; side: "in" | "out" };

/** `client`, `server`, `fw:in`, `fw:out`. Throws NfError (trace.point). */
export function parsePoint(text: string, entries: readonly string[]): TracePoint {
  if (text === "client" || text === "server") return { port: text };
  const [entry = "", side, ...rest] = text.split(":");
  if (rest.length === 0 && (side === "in" || side === "out") && entries.includes(entry)) return { entry, side };
  const all = ["client", "server", ...entries.flatMap((name) => [`${name}:in`, `${name}:out`])];
  const meant = nearest(text, all);
  throw new NfError("trace.point", `'${text}' is no point of this chain`, {
    given: text,
    allowed: all.join(", "),
    fix: meant === undefined ? undefined : `Did you mean '${meant}'?`,
  });
}
