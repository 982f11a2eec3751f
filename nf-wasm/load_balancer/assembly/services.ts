// The services: reads them from the configuration, finds a flow's, and chooses its backend. Nothing here changes after configure.
import { Address, Flow, configError, parseAddress } from "@nfactor/sdk";
import { Backend as BackendConfig, Config, Service as ServiceConfig } from "./config";
import { MEMBERS_MAX, Member, fillTable, hashWord, isPrime } from "./maglev";

const TCP: u32 = 6;
const UDP: u32 = 17;
/** Slots of all tables together: what can be filled within the time that configure has, at the worst weights. */
const SLOTS_MAX: u32 = 32 * 65_537;
const ERRORS_MAX: u32 = 8;
/** Left to the heap, for the texts of errors. */
const REST: usize = 65_536;

@final
export class Service {
  number: u32 = 0; // in the configuration, from 1
  table: StaticArray<u16> = new StaticArray<u16>(0); // by hash: an index into members; empty when there is none
  members: StaticArray<Member> = new StaticArray<Member>(0);
}

/** One address, protocol and port that clients use. */
@final
class Endpoint {
  high: u64 = 0;
  low: u64 = 0;
  kind: u32 = 0;
  service: Service = changetype<Service>(0);
}

let endpoints: StaticArray<Endpoint> = new StaticArray<Endpoint>(0);
let slots: StaticArray<u32> = new StaticArray<u32>(0); // open addressing, a power of two: 1 + index of an endpoint
let endpointCount: u32 = 0;
let backendCount: u32 = 0;
let seed: u64 = 0;
let errors: u32 = 0;

@inline
function kindOf(family: u32, protocol: u32, port: u32): u32 {
  return (family << 24) | (protocol << 16) | port;
}

/** Where an endpoint lies, or the empty slot where it would. */
function slotOf(high: u64, low: u64, kind: u32): u32 {
  const mask = <u32>slots.length - 1;
  let at = (<u32>hashWord(hashWord(hashWord(0, high), low), <u64>kind)) & mask;
  while (slots[at] != 0) {
    const e = endpoints[slots[at] - 1];
    if (e.low == low && e.high == high && e.kind == kind) break;
    at = (at + 1) & mask;
  }
  return at;
}

/** The service that a flow was begun to, or null. */
export function serviceOf(f: Flow): Service | null {
  const found = slots[slotOf(f.responderHigh, f.responderLow, kindOf(f.ipVersion, f.protocol, f.responderPort))];
  return found == 0 ? null : endpoints[found - 1].service;
}

/** The backend of a new flow: by the five-tuple as the client sent it, so it is the same everywhere. Null: there is none. */
export function memberFor(s: Service, f: Flow): Member | null {
  const size = <u64>s.table.length;
  if (size == 0) return null;
  let hash = hashWord(hashWord(seed, f.initiatorHigh), f.initiatorLow);
  hash = hashWord(hashWord(hash, f.responderHigh), f.responderLow);
  hash = hashWord(hash, ((<u64>f.protocol) << 32) | ((<u64>f.initiatorPort) << 16) | (<u64>f.responderPort));
  return s.members[<i32>s.table[<i32>(hash % size)]];
}

/** Reads the services; the number of errors. */
export function setServices(c: Config): u32 {
  errors = 0;
  backendCount = 0;
  endpointCount = 0;
  seed = c.hashSeed;
  const list = c.services;
  const size = c.tableSize;
  if (size < 11 || size > 65_537 || !isPrime(size)) wrong("tableSize", "config.field", size.toString() + " is no prime from 11 to 65537");
  else if (<u64>size * <u64>list.length > <u64>SLOTS_MAX)
    wrong("tableSize", "config.too_large", "for so many services at most " + (SLOTS_MAX / <u32>list.length).toString());
  let addresses: i32 = 0;
  for (let i = 0; i < list.length; i++) addresses += list[i].addresses.length;
  let room = 2;
  while (room < addresses * 2) room <<= 1;
  if (errors != 0 || !hasRoom(<usize>(room + addresses * 16) * 4)) return errors;
  endpoints = new StaticArray<Endpoint>(addresses);
  slots = new StaticArray<u32>(room);
  for (let i = 0; i < list.length && errors < ERRORS_MAX; i++) readService(list[i], <u32>i, size);
  return errors;
}

function readService(c: ServiceConfig, i: u32, size: u32): void {
  const path = "services[" + i.toString() + "]";
  const protocol = c.protocol == "tcp" ? TCP : c.protocol == "udp" ? UDP : 0;
  if (protocol == 0) return wrong(path + ".protocol", "config.field", "only tcp or udp is allowed");
  if (c.port == 0) return wrong(path + ".port", "config.field", "a port is 1 to 65535");
  if (c.addresses.length == 0) return wrong(path + ".addresses", "config.field", "at least one address is needed");
  const count = c.backends.length;
  if (count > MEMBERS_MAX) return wrong(path + ".backends", "config.too_large", "more than 1024 backends");
  if (<u32>count * 10 > size) return wrong(path + ".backends", "config.too_large", "tableSize must be ten times as many, or more");
  if (!hasRoom(((<usize>size) << 1) + <usize>count * 80)) return;
  const service = new Service();
  service.number = i + 1;
  const address = new Address();
  let family: u32 = 0;
  for (let k = 0; k < c.addresses.length; k++) {
    if (!readAddress(c.addresses[k], address, family, path + ".addresses[" + k.toString() + "]")) return;
    family = address.family;
    addEndpoint(service, address, kindOf(family, protocol, <u32>c.port), path + ".addresses[" + k.toString() + "]");
  }
  service.members = new StaticArray<Member>(count);
  let active: u32 = 0;
  for (let k = 0; k < count; k++) {
    const b = c.backends[k];
    const at = path + ".backends[" + k.toString() + "]";
    backendCount++;
    if (!readAddress(b.address, address, family, at + ".address")) return;
    if (b.weight > 100) return wrong(at + ".weight", "config.field", "a weight is 0 to 100");
    const member = new Member();
    member.high = address.high;
    member.low = address.low;
    member.port = b.port == 0 ? <u32>c.port : <u32>b.port;
    member.weight = b.healthy ? b.weight : 0;
    member.number = backendCount;
    if (!insert(service.members, k, member)) return wrong(at + ".address", "config.field", "this backend is in the list before");
    if (member.weight != 0) active++;
  }
  if (active == 0 || errors != 0) return;
  // Those without weight are no members: with and without them the table is the same.
  let to: i32 = 0;
  for (let k = 0; k < count; k++) if (service.members[k].weight != 0) service.members[to++] = service.members[k];
  service.table = new StaticArray<u16>(<i32>size);
  fillTable(service.table, service.members, active);
}

/** Puts a member into its place among the `count` that are in order; false if it is there. */
function insert(members: StaticArray<Member>, count: i32, member: Member): bool {
  let to = count;
  while (to > 0 && member.isBefore(members[to - 1])) to--;
  if (to > 0 && !members[to - 1].isBefore(member)) return false;
  for (let k = count; k > to; k--) members[k] = members[k - 1];
  members[to] = member;
  return true;
}

function addEndpoint(service: Service, address: Address, kind: u32, path: string): void {
  const at = slotOf(address.high, address.low, kind);
  if (slots[at] != 0) return wrong(path, "config.field", "service " + endpoints[slots[at] - 1].service.number.toString() + " has this address and port");
  const e = new Endpoint();
  e.high = address.high;
  e.low = address.low;
  e.kind = kind;
  e.service = service;
  endpoints[endpointCount] = e;
  slots[at] = ++endpointCount;
}

/** Reads an address that a host can have, of this family (0: any). */
function readAddress(text: string, to: Address, family: u32, path: string): bool {
  const shown = "'" + (text.length > 40 ? text.substring(0, 40) + "..." : text) + "'";
  if (!parseAddress(text, to)) wrong(path, "config.prefix", shown + " is no address");
  else if (to.isUnspecified || to.isLoopback || to.isMulticast) wrong(path, "config.prefix", shown + " is no address that one host has in a network");
  else if (family != 0 && to.family != family) wrong(path, "config.prefix", shown + ": all addresses of a service are IPv4, or all IPv6");
  else return true;
  return false;
}

function hasRoom(bytes: usize): bool {
  const left = ((<usize>memory.size()) << 16) - heap.alloc(0);
  if (bytes + REST <= left) return true;
  wrong("services", "config.too_large", "there is no memory for so many services and backends");
  return false;
}

function wrong(path: string, code: string, text: string): void {
  errors++;
  configError(path, code, text);
}
