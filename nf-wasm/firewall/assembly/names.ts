// Names of protocols and of ICMP types, as IANA's registers have them, for rules.
import { ANY_PROTOCOL } from "./classifier";
import { Text } from "./text";

/** Number of a protocol, ANY_PROTOCOL, or -1. */
export function protocolOf(t: Text, text: string): i32 {
  if (text == "" || text == "any") return <i32>ANY_PROTOCOL;
  if (text == "tcp") return 6;
  if (text == "udp") return 17;
  if (text == "icmp") return 1;
  if (text == "icmpv6") return 58;
  if (text == "sctp") return 132;
  if (text == "udplite") return 136;
  if (text == "gre") return 47;
  if (text == "esp") return 50;
  if (text == "ah") return 51;
  if (text == "igmp") return 2;
  if (text == "ospf") return 89;
  t.begin(text);
  const number = t.decimal(255);
  return t.ended ? number : -1;
}

/** Number of an ICMP type by name, or -1. */
export function icmpTypeOf(text: string, v6: bool): i32 {
  if (text == "echo-request") return v6 ? 128 : 8;
  if (text == "echo-reply") return v6 ? 129 : 0;
  if (text == "destination-unreachable") return v6 ? 1 : 3;
  if (text == "time-exceeded") return v6 ? 3 : 11;
  if (text == "parameter-problem") return v6 ? 4 : 12;
  if (v6) {
    if (text == "packet-too-big") return 2;
    if (text == "router-solicitation") return 133;
    if (text == "router-advertisement") return 134;
    if (text == "neighbor-solicitation") return 135;
    if (text == "neighbor-advertisement") return 136;
    return -1;
  }
  if (text == "redirect") return 5;
  if (text == "router-advertisement") return 9;
  if (text == "router-solicitation") return 10;
  if (text == "timestamp-request") return 13;
  if (text == "timestamp-reply") return 14;
  return -1;
}
