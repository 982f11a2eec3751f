/**
 * Random firewall rules, and what they mean by the plainest reading: one after the other, field by field. The compiled rules have to agree.
 *
 * Addresses come from a few prefixes, so that rules nest and overlap and flows meet many of them.
 */
import type { Random } from "@nfactor/sdk/test";

export interface RuleConfig {
  action: "allow" | "drop";
  protocol?: string | number;
  side?: string;
  from?: string;
  to?: string;
  fromPorts?: string | number;
  ports?: string | number;
  icmpType?: string | number;
}

type Range = readonly [number, number];
interface PrefixValue {
  family: 4 | 6;
  address: bigint;
  length: number;
}

/** A rule as text, and the same as values. */
export interface Rule {
  config: RuleConfig;
  protocol: number | undefined;
  side: number | undefined;
  from: PrefixValue | undefined;
  to: PrefixValue | undefined;
  fromPorts: readonly Range[] | undefined;
  ports: readonly Range[] | undefined;
  /** Of type × 256 + code. */
  icmp: Range | undefined;
}

/** The first packet of a flow. */
export interface Asked {
  family: 4 | 6;
  protocol: number;
  side: number;
  from: bigint;
  to: bigint;
  fromPort: number;
  port: number;
  icmp: number;
}

const NUMBERS: Record<string, number> = { tcp: 6, udp: 17, icmp: 1, icmpv6: 58 };
const ICMP = 1;
const ICMPV6 = 58;

export function hasPorts(protocol: number): boolean {
  return protocol === 6 || protocol === 17 || protocol === 132 || protocol === 136;
}

export function randomAddress(r: Random, family: 4 | 6): bigint {
  if (family === 4) return BigInt(r.pick([10, 10, 10, 172, 192]) * 2 ** 24 + r.below(4) * 2 ** 16 + r.below(4) * 256 + r.below(16));
  return (0x2001_0db8n << 96n) | (BigInt(r.below(4)) << 80n) | (BigInt(r.below(4)) << 64n) | BigInt(r.below(16));
}

export function addressText(family: 4 | 6, address: bigint): string {
  const [count, bits, base, separator] = family === 4 ? [4, 8, 10, "."] : [8, 16, 16, ":"];
  return Array.from({ length: count }, (_, i) => ((address >> BigInt((count - 1 - i) * bits)) & ((1n << BigInt(bits)) - 1n)).toString(base)).join(separator);
}

function randomPrefix(r: Random, family: 4 | 6): PrefixValue {
  const lengths = family === 4 ? [0, 8, 16, 23, 24, 28, 30, 32, 32, 32] : [0, 32, 48, 63, 64, 65, 124, 126, 128, 128];
  return { family, address: randomAddress(r, family), length: r.pick(lengths) };
}

function randomRange(r: Random): Range {
  const [a, b] = [r.below(r.pick([65536, 2000, 100])), r.below(r.pick([65536, 2000, 100]))];
  return r.below(3) === 0 ? [a, a] : [Math.min(a, b), Math.max(a, b)];
}

const rangeText = ([low, high]: Range): string => (low === high ? String(low) : `${low}-${high}`);
const prefixText = (p: PrefixValue): string => {
  const bits = p.family === 4 ? 32 : 128;
  return addressText(p.family, p.address) + (p.length === bits ? "" : `/${p.length}`);
};

/** `specific`: only rules with both prefixes, as a long list has them; else all kinds, also such as match half of all flows. */
export function randomRule(r: Random, specific: boolean): Rule {
  const family = specific ? r.pick([4, 4, 4, 4, 6] as const) : r.pick([4, 4, 4, 6, undefined] as const);
  const word = r.pick(["tcp", "udp", "tcp", "udp", "any", family === 6 ? "icmpv6" : "icmp", "47"]);
  const protocol = word === "any" ? undefined : (NUMBERS[word] ?? Number(word));
  const from = family !== undefined && (specific || r.below(3) > 0) ? randomPrefix(r, family) : undefined;
  const to = family !== undefined && (specific || r.below(3) > 0) ? randomPrefix(r, family) : undefined;
  const side = r.pick([undefined, undefined, 0, 1]);
  const mayHavePorts = protocol === undefined || hasPorts(protocol);
  const ports = mayHavePorts && r.below(2) === 0 ? Array.from({ length: 1 + r.below(2) }, () => randomRange(r)) : undefined;
  const fromPorts = mayHavePorts && r.below(6) === 0 ? [randomRange(r)] : undefined;
  const type = r.below(20);
  const code = r.below(3);
  const icmp =
    (protocol !== ICMP && protocol !== ICMPV6) || r.below(2) === 0
      ? undefined
      : r.pick<Range>([
          [type * 256, type * 256 + 255],
          [type * 256 + code, type * 256 + code],
        ]);
  const config: RuleConfig = {
    action: r.pick(["allow", "drop"]),
    ...(protocol === undefined ? {} : { protocol: word }),
    ...(side === undefined ? {} : { side: side === 0 ? "client" : "server" }),
    ...(from && { from: prefixText(from) }),
    ...(to && { to: prefixText(to) }),
    ...(ports && { ports: ports.map(rangeText).join(",") }),
    ...(fromPorts && { fromPorts: fromPorts.map(rangeText).join(", ") }),
    ...(icmp && { icmpType: icmp[0] === icmp[1] ? `${type}/${code}` : type }),
  };
  return { config, protocol, side, from, to, fromPorts, ports, icmp };
}

export function randomAsked(r: Random): Asked {
  const family = r.pick([4, 4, 6] as const);
  const protocol = r.pick([6, 6, 17, 17, family === 4 ? ICMP : ICMPV6, 47, 132]);
  const ported = hasPorts(protocol);
  return {
    family,
    protocol,
    side: r.below(2),
    from: randomAddress(r, family),
    to: randomAddress(r, family),
    fromPort: ported ? r.below(r.pick([65536, 100])) : 0,
    port: ported ? r.below(r.pick([65536, 2000, 100])) : 0,
    icmp: r.below(20) * 256 + r.below(3),
  };
}

function holds(p: PrefixValue | undefined, family: 4 | 6, address: bigint): boolean {
  if (!p) return true;
  const rest = BigInt((family === 4 ? 32 : 128) - p.length);
  return p.family === family && p.address >> rest === address >> rest;
}

const within = (ranges: readonly Range[], port: number): boolean => ranges.some(([low, high]) => low <= port && port <= high);

function matches(rule: Rule, q: Asked): boolean {
  if (rule.protocol !== undefined && rule.protocol !== q.protocol) return false;
  if (rule.side !== undefined && rule.side !== q.side) return false;
  if (!holds(rule.from, q.family, q.from) || !holds(rule.to, q.family, q.to)) return false;
  if ((rule.ports || rule.fromPorts) && !hasPorts(q.protocol)) return false;
  if (rule.ports && !within(rule.ports, q.port)) return false;
  if (rule.fromPorts && !within(rule.fromPorts, q.fromPort)) return false;
  return !rule.icmp || within([rule.icmp], q.icmp);
}

/** Number of the first rule that matches, from 1; 0 = none. */
export function firstRule(rules: readonly Rule[], q: Asked): number {
  return rules.findIndex((rule) => matches(rule, q)) + 1;
}
