// Reads addresses and prefixes: 10.0.0.0/8, 10.1.2.3, 2001:db8::/32, ::1, ::ffff:10.0.0.1, any.
import { Address, parseAddress } from "@nfactor/sdk";
import { Text } from "./text";

@final
export class Prefix {
  family: u32 = 0; // 4 or 6; 0 = any
  high: u64 = 0;
  low: u64 = 0; // IPv4 in its mapped form
  length: u32 = 0; // of 128 bits, for IPv4 too
  address: Address = new Address(); // while it is read
}

/** False if the text is no prefix. Bits behind the prefix length do not count. */
export function readPrefix(t: Text, text: string, p: Prefix): bool {
  p.family = 0;
  p.high = 0;
  p.low = 0;
  p.length = 0;
  if (text == "any" || text == "") return true;
  const slash = text.indexOf("/");
  const address = p.address;
  if (!parseAddress(text, address, slash < 0 ? text.length : slash)) return false;
  const most: i32 = address.family == 6 ? 128 : 32;
  let length = most;
  if (slash >= 0) {
    t.begin(text).at = slash + 1;
    length = t.decimal(most);
    if (length < 0 || !t.ended) return false;
  }
  p.family = address.family;
  p.high = address.high;
  p.low = address.low;
  p.length = <u32>(length + 128 - most);
  return true;
}
