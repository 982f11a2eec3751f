// The pool of outside addresses: which address and port a lease stands for, and whether an address is in the pool.
//
// Lease n stands for address n / 64,512 in the order of the configuration, and port 1,024 + n % 64,512 of it. A lease is offered to
// one flow at a time, whatever its protocol, so a mapping needs no table here.
import { Address, configError, parseAddress } from "@nfactor/sdk";

export const FIRST_PORT: u32 = 1024;
export const PORTS: u32 = 64_512;
/** More would be 67 million mappings. */
const ADDRESSES_MAX: i32 = 1024;

let inOrder: StaticArray<u32> = new StaticArray<u32>(0);
let sorted: StaticArray<u32> = new StaticArray<u32>(0);

/** True if a lease (its index, from 0) stands for an address and port. */
@inline
export function covers(lease: u32): bool {
  return lease / PORTS < <u32>inOrder.length;
}

/** In host order, as portOf; `lease` is covered. */
export function addressOf(lease: u32): u32 {
  return inOrder[lease / PORTS];
}

export function portOf(lease: u32): u32 {
  return FIRST_PORT + (lease % PORTS);
}

export function inPool(address: u32): bool {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    if (sorted[middle] == address) return true;
    if (sorted[middle] < address) low = middle + 1;
    else high = middle;
  }
  return false;
}

/** Reads the configuration; the number of errors. */
export function setPool(addresses: string[]): u32 {
  const count = addresses.length;
  if (count == 0 || count > ADDRESSES_MAX) {
    configError("addresses", "config.field", count == 0 ? "at least one address is needed" : "more than 1024 addresses");
    return 1;
  }
  inOrder = new StaticArray<u32>(count);
  sorted = new StaticArray<u32>(count);
  const parsed = new Address();
  let errors: u32 = 0;
  for (let i = 0; i < count && errors < 8; i++) {
    const isIpv4 = parseAddress(addresses[i], parsed) && parsed.family == 4;
    const address = <u32>parsed.low;
    const why = isIpv4 ? reserved(address) : "this is no IPv4 address";
    if (why != "" || !insert(i, address)) {
      errors++;
      const text = addresses[i];
      const shown = text.length > 40 ? text.substring(0, 40) + "..." : text;
      configError("addresses[" + i.toString() + "]", "config.prefix", "'" + shown + "': " + (why != "" ? why : "this address is in the list before"));
    }
    inOrder[i] = address;
  }
  return errors;
}

/** Puts an address into its place among the i that are sorted; false if it is there. */
function insert(i: i32, address: u32): bool {
  let to = i;
  while (to > 0 && sorted[to - 1] > address) to--;
  if (to > 0 && sorted[to - 1] == address) return false;
  for (let k = i; k > to; k--) sorted[k] = sorted[k - 1];
  sorted[to] = address;
  return true;
}

/** Why an address can be nobody's source address; empty if it can. */
function reserved(address: u32): string {
  const first = address >>> 24;
  if (first == 0) return "0.0.0.0/8 is no host's address";
  if (first == 127) return "127.0.0.0/8 does not leave a host";
  if (address >>> 16 == 0xa9fe) return "169.254.0.0/16 does not leave its link";
  if (first >= 224 && first < 240) return "224.0.0.0/4 is multicast";
  if (first >= 240) return "240.0.0.0/4 is reserved";
  return "";
}

/** True if a flow between these addresses can't be translated: an end that is no single host, or does not leave its link. */
export function isLocal(source: u32, destination: u32): bool {
  const from = source >>> 24;
  const to = destination >>> 24;
  return from == 0 || from == 127 || from >= 224 || to == 0 || to == 127 || to >= 224 || source >>> 16 == 0xa9fe || destination >>> 16 == 0xa9fe;
}
