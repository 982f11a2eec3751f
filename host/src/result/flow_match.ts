/**
 * `nfactor flows <match>`, `nfactor trace --match`: words that all have to match.
 *
 *   tcp                  the protocol
 *   10.0.0.0/8           an endpoint's address lies in the prefix; also `host 10.0.0.1`, `net 10.0.0.0/8`
 *   10.0.0.1:80          an endpoint; [fd00::1]:80 for IPv6
 *   :80                  an endpoint's port; also `port 80`
 *   firewall.tag=1       a field of an NF's state; also != < <= > >=
 *   and                  means nothing: `tcp and port 80`
 */
import { BlockList, isIP } from "node:net";
import { NfError } from "@nfactor/sdk/errors";
import { isPrefix } from "../config/host_config.ts";
import type { FlowJson } from "./run_result.ts";

export type FlowMatch = (flow: FlowJson) => boolean;

/** What one word, or two, ask for. */
export type MatchTerm =
  | { kind: "protocol"; protocol: string }
  /** One end has the address (a prefix, or an address alone) and the port, where these are given. */
  | { kind: "end"; address: string | undefined; port: number | undefined }
  | { kind: "field"; entry: string; name: string; operator: string; wanted: string };

const PROTOCOL = /^(tcp|udp|icmp|icmpv6|sctp|udplite|ip\d{1,3})$/;
const PORT_MAX = 65_535;
const FIELD = /^([a-z][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)(!=|<=|>=|=|<|>)(.*)$/s;

/** Throws NfError (usage) at the first word that is none of the above; its message begins with `what`. */
export function parseFlowMatch(words: readonly string[], what = "flows"): FlowMatch {
  const tests = matchTerms(words, what).map(testOf);
  return (flow) => tests.every((test) => test(flow));
}

/** Throws NfError (usage) as parseFlowMatch. */
export function matchTerms(words: readonly string[], what: string): MatchTerm[] {
  const all = words.flatMap((text) => text.split(/\s+/)).filter((word) => word !== "");
  const terms: MatchTerm[] = [];
  for (let i = 0; i < all.length; i++) {
    const word = all[i]!;
    if (word === "and") continue;
    if (word !== "host" && word !== "net" && word !== "port") {
      terms.push(termOf(word, what));
      continue;
    }
    const next = all[(i += 1)];
    if (word === "port" && next !== undefined && /^\d{1,5}$/.test(next) && Number(next) <= PORT_MAX) {
      terms.push({ kind: "end", address: undefined, port: Number(next) });
    } else if (word !== "port" && next !== undefined && isPrefix(next) && (word === "net" || !next.includes("/"))) {
      terms.push({ kind: "end", address: next, port: undefined });
    } else {
      const allowed = { host: "host 10.0.0.1", net: "net 10.0.0.0/8", port: `port 80 (0 to ${PORT_MAX})` }[word];
      throw new NfError("usage", `${what}: '${next === undefined ? word : `${word} ${next}`}' is not understood`, { allowed });
    }
  }
  return terms;
}

function termOf(word: string, what: string): MatchTerm {
  if (PROTOCOL.test(word)) return { kind: "protocol", protocol: word };
  const field = FIELD.exec(word);
  if (field) return { kind: "field", entry: field[1]!, name: field[2]!, operator: field[3]!, wanted: field[4]! };
  if (isPrefix(word)) return { kind: "end", address: word, port: undefined };
  const endpoint = /^(?:\[([^\]]+)\]|([0-9.]+))?:(\d{1,5})$/.exec(word);
  const address = endpoint?.[1] ?? endpoint?.[2];
  const port = Number(endpoint?.[3]);
  if (endpoint && port <= PORT_MAX && (address === undefined || isPrefix(address))) return { kind: "end", address, port };
  throw new NfError("usage", `${what}: '${word}' is not understood`, {
    allowed:
      "a protocol (tcp), an address or prefix (10.0.0.0/8, host 10.0.0.1, net 10.0.0.0/8), a port (:80, port 80), address:port, or a state field (firewall.tag=1)",
  });
}

function testOf(term: MatchTerm): FlowMatch {
  if (term.kind === "protocol") return (flow) => flow.key.protocol === term.protocol;
  if (term.kind === "field") return fieldTest(term.entry, term.name, term.operator, term.wanted);
  const { address, port } = term;
  const inside = address === undefined ? () => true : prefixTest(address);
  return ({ key }) => [key.initiator, key.responder].some((end) => (port === undefined || end.port === port) && inside(end.address));
}

function prefixTest(text: string): (address: string) => boolean {
  const [address = "", bits] = text.split("/");
  const family = isIP(address) === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(address, bits === undefined ? (family === "ipv4" ? 32 : 128) : Number(bits), family);
  return (given) => (isIP(given) === 4) === (family === "ipv4") && list.check(given, family);
}

function fieldTest(nf: string, name: string, operator: string, wanted: string): FlowMatch {
  return ({ nfs }) => {
    const state = nfs[nf];
    if (!state || !Object.hasOwn(state, name)) return false;
    const order = compare(state[name], wanted);
    switch (operator) {
      case "=":
        return order === 0;
      case "!=":
        return order !== 0;
      case "<":
        return order < 0;
      case "<=":
        return order <= 0;
      case ">":
        return order > 0;
      default:
        return order >= 0;
    }
  };
}

/** Numbers by value, everything else as text; NaN when they do not compare. */
function compare(value: unknown, wanted: string): number {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (/^-?\d+$/.test(text) && /^-?\d+$/.test(wanted)) {
    const [a, b] = [BigInt(text), BigInt(wanted)];
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return text === wanted ? 0 : text < wanted ? -1 : 1;
}
