/**
 * `nfactor flows <match>`: words that all have to match a flow.
 *
 *   tcp              the protocol
 *   10.0.0.0/8       an endpoint's address lies in the prefix
 *   10.0.0.1:80      an endpoint; [fd00::1]:80 for IPv6
 *   :80              an endpoint's port
 *   firewall.tag=1   a field of an NF's state; also != < <= > >=
 */
import { BlockList, isIP } from "node:net";
import { NfError } from "@nfactor/sdk/errors";
import { isPrefix } from "../config/host_config.ts";
import type { FlowJson } from "./run_result.ts";

export type FlowMatch = (flow: FlowJson) => boolean;

const PROTOCOL = /^(tcp|udp|icmp|icmpv6|sctp|udplite|ip\d{1,3})$/;
const PORT_MAX = 65_535;
const FIELD = /^([a-z][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)(!=|<=|>=|=|<|>)(.*)$/s;

/** Throws NfError (usage) at the first word that is none of the above; its message begins with `what`. */
export function parseFlowMatch(words: readonly string[], what = "flows"): FlowMatch {
  const tests = words
    .flatMap((text) => text.split(/\s+/))
    .filter((word) => word !== "")
    .map((word) => parseWord(word, what));
  return (flow) => tests.every((test) => test(flow));
}

function parseWord(word: string, what: string): FlowMatch {
  if (PROTOCOL.test(word)) return (flow) => flow.key.protocol === word;
  const field = FIELD.exec(word);
  if (field) return fieldTest(field[1]!, field[2]!, field[3]!, field[4]!);
  if (isPrefix(word)) {
    const inside = prefixTest(word);
    return ({ key }) => inside(key.initiator.address) || inside(key.responder.address);
  }
  const endpoint = /^(?:\[([^\]]+)\]|([0-9.]+))?:(\d{1,5})$/.exec(word);
  const address = endpoint?.[1] ?? endpoint?.[2];
  const port = Number(endpoint?.[3]);
  if (endpoint && port <= PORT_MAX && (address === undefined || isPrefix(address))) {
    const inside = address === undefined ? () => true : prefixTest(address);
    return ({ key }) => [key.initiator, key.responder].some((end) => end.port === port && inside(end.address));
  }
  throw new NfError("usage", `${what}: '${word}' is not understood`, {
    allowed: "a protocol (tcp), an address or prefix (10.0.0.0/8), a port (:80), address:port, or a state field (firewall.tag=1)",
  });
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
