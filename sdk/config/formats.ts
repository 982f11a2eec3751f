/**
 * What strings of a configuration can be, beyond text: `@format("prefix") to: string` in a @config class. The NF still gets the text; here it is
 * refused, with its place in the file, before the NF sees it.
 */
import { isIPv4, isIPv6 } from "node:net";
import type { ErrorCode } from "../errors.ts";

export interface FormatComplaint {
  code: ErrorCode;
  message: string;
  allowed: string;
  fix?: string;
}

type Check = (text: string) => FormatComplaint | undefined;

const address = (isAddress: (text: string) => boolean, allowed: string): Check => {
  return (text) => (isAddress(text) ? undefined : { code: "config.prefix", message: "this is no address", allowed });
};

function prefix(text: string): FormatComplaint | undefined {
  const allowed = "an address, or address/length: 10.0.0.0/8, 2001:db8::/32";
  const [host = "", length, ...rest] = text.split("/");
  const most = isIPv4(host) ? 32 : isIPv6(host) ? 128 : undefined;
  if (most === undefined || rest.length > 0) return { code: "config.prefix", message: "this is no address or prefix", allowed };
  if (length === undefined) return undefined;
  if (!/^\d{1,3}$/.test(length) || Number(length) > most)
    return { code: "config.prefix", message: `the prefix length '${length}' is not 0 to ${most}`, allowed };
  return undefined;
}

/** Ports and ranges with commas between them. */
function ports(text: string): FormatComplaint | undefined {
  const allowed = "0-65535, or low-high, several with commas";
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(part);
    const low = Number(match?.[1]);
    const high = match?.[2] === undefined ? low : Number(match[2]);
    if (!match || low > 65535 || high > 65535) return { code: "config.port_range", message: `'${part.trim()}' is no port or range`, allowed };
    if (low > high) return { code: "config.port_range", message: "the first is above the last", allowed, fix: `Write '${high}-${low}'.` };
  }
  return undefined;
}

/** A word like tcp, or a number: YAML reads the latter as one. */
function nameOrNumber(text: string): FormatComplaint | undefined {
  if (/^[a-z0-9][a-z0-9_/-]{0,62}$/.test(text)) return undefined;
  return { code: "config.field", message: "this is no name and no number", allowed: "lower-case letters, digits, '-', '_' and '/'" };
}

export const TEXT_FORMATS: Readonly<Record<string, Check>> = {
  ipv4: address(isIPv4, "an IPv4 address: 192.0.2.1"),
  ipv6: address(isIPv6, "an IPv6 address: 2001:db8::1"),
  address: address((text) => isIPv4(text) || isIPv6(text), "an IPv4 or IPv6 address"),
  prefix,
  ports,
  name_or_number: nameOrNumber,
};
