/**
 * The bytes of a frame by name, and what is different between two frames. Nothing of a frame is trusted: what does not fit into its bytes has no name.
 */
export interface FrameField {
  name: string;
  /** Bytes of the frame, `to` not included. */
  from: number;
  to: number;
  text: string;
}

export interface FrameChange {
  /** A field, or `bytes 54-57`. */
  field: string;
  from: string;
  to: string;
}

/** Changed bytes without a name that are told of; more are counted. */
const HEX_BYTES_MAX = 16;

const ETHERNET_BYTES = 14;
const VLAN_TYPES: ReadonlySet<number> = new Set([0x8100, 0x88a8]);
const [IPV4, IPV6] = [0x0800, 0x86dd];
const [ICMP, TCP, UDP, ICMPV6] = [1, 6, 17, 58];
/** Extension headers that say how long they are. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const FRAGMENT = 44;

class Fields {
  readonly list: FrameField[] = [];
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }
  u8(at: number): number {
    return this.#bytes[at] ?? 0;
  }
  u16(at: number): number {
    return (this.u8(at) << 8) | this.u8(at + 1);
  }
  add(name: string, from: number, bytes: number, show: (at: number) => string): void {
    if (from + bytes <= this.#bytes.length) this.list.push({ name, from, to: from + bytes, text: show(from) });
  }
  number(name: string, from: number, bytes: 1 | 2): void {
    this.add(name, from, bytes, (at) => String(bytes === 1 ? this.u8(at) : this.u16(at)));
  }
  long(name: string, from: number): void {
    this.add(name, from, 4, (at) => String(((this.u16(at) << 16) | this.u16(at + 2)) >>> 0));
  }
  hex(name: string, from: number, bytes: number): void {
    this.add(name, from, bytes, (at) => `0x${hexOf(this.#bytes.subarray(at, at + bytes))}`);
  }
  mac(name: string, from: number): void {
    this.add(name, from, 6, (at) => [...this.#bytes.subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, "0")).join(":"));
  }
  ipv4(name: string, from: number): void {
    this.add(name, from, 4, (at) => [...this.#bytes.subarray(at, at + 4)].join("."));
  }
  ipv6(name: string, from: number): void {
    this.add(name, from, 16, (at) => ipv6Text(Array.from({ length: 8 }, (_, i) => this.u16(at + 2 * i))));
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** RFC 5952: the longest row of zeros is `::`. */
function ipv6Text(groups: readonly number[]): string {
  let [best, length] = [0, 0];
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n += 1;
    if (n > length) [best, length] = [i, n];
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  return length < 2 ? text(groups) : `${text(groups.slice(0, best))}::${text(groups.slice(best + length))}`;
}

const TCP_FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
export function tcpFlagsText(flags: number): string {
  return TCP_FLAGS.filter((_, bit) => ((flags >> bit) & 1) !== 0).join(",") || "none";
}

/** In the order in which they lie in the frame. */
export function frameFields(bytes: Uint8Array): FrameField[] {
  const fields = new Fields(bytes);
  fields.mac("eth.dst", 0);
  fields.mac("eth.src", 6);
  let at = ETHERNET_BYTES;
  let type = fields.u16(at - 2);
  for (let i = 0; i < 2 && VLAN_TYPES.has(type); i++, at += 4) {
    fields.add(`vlan${i === 0 ? "" : ".inner"}`, at, 2, (from) => String(fields.u16(from) & 0xfff));
    type = fields.u16(at + 2);
  }
  if (type === IPV4) addIpv4(fields, at);
  else if (type === IPV6) addIpv6(fields, at);
  return fields.list;
}

function addIpv4(fields: Fields, at: number): void {
  const headerBytes = (fields.u8(at) & 0x0f) * 4;
  if (fields.u8(at) >> 4 !== 4 || headerBytes < 20) return;
  fields.number("ip.tos", at + 1, 1);
  fields.number("ip.length", at + 2, 2);
  fields.number("ip.id", at + 4, 2);
  fields.hex("ip.fragment", at + 6, 2);
  fields.number("ip.ttl", at + 8, 1);
  fields.number("ip.protocol", at + 9, 1);
  fields.hex("ip.checksum", at + 10, 2);
  fields.ipv4("ip.src", at + 12);
  fields.ipv4("ip.dst", at + 16);
  if ((fields.u16(at + 6) & 0x1fff) === 0) addL4(fields, at + headerBytes, fields.u8(at + 9));
}

function addIpv6(fields: Fields, at: number): void {
  if (fields.u8(at) >> 4 !== 6) return;
  fields.hex("ip.class_and_label", at, 4);
  fields.number("ip.length", at + 4, 2);
  fields.number("ip.next", at + 6, 1);
  fields.number("ip.hop_limit", at + 7, 1);
  fields.ipv6("ip.src", at + 8);
  fields.ipv6("ip.dst", at + 24);
  let [next, l4] = [fields.u8(at + 6), at + 40];
  while (l4 + 8 <= fields.length && (EXTENSIONS.has(next) || next === FRAGMENT)) {
    if (next === FRAGMENT && (fields.u16(l4 + 2) & 0xfff8) !== 0) return;
    const bytes = next === FRAGMENT ? 8 : 8 * (fields.u8(l4 + 1) + 1);
    next = fields.u8(l4);
    l4 += bytes;
  }
  addL4(fields, l4, next);
}

function addL4(fields: Fields, at: number, protocol: number): void {
  const name = protocol === TCP ? "tcp" : protocol === UDP ? "udp" : "icmp";
  if (protocol === TCP || protocol === UDP) {
    fields.number(`${name}.src_port`, at, 2);
    fields.number(`${name}.dst_port`, at + 2, 2);
  }
  if (protocol === TCP) {
    fields.long("tcp.seq", at + 4);
    fields.long("tcp.ack", at + 8);
    fields.add("tcp.data_offset", at + 12, 1, (from) => String((fields.u8(from) >> 4) * 4));
    fields.add("tcp.flags", at + 13, 1, (from) => tcpFlagsText(fields.u8(from)));
    fields.number("tcp.window", at + 14, 2);
    fields.hex("tcp.checksum", at + 16, 2);
    fields.number("tcp.urgent", at + 18, 2);
  } else if (protocol === UDP) {
    fields.number("udp.length", at + 4, 2);
    fields.hex("udp.checksum", at + 6, 2);
  } else if (protocol === ICMP || protocol === ICMPV6) {
    fields.number("icmp.type", at, 1);
    fields.number("icmp.code", at + 1, 1);
    fields.hex("icmp.checksum", at + 2, 2);
    fields.number("icmp.id", at + 4, 2);
    fields.number("icmp.seq", at + 6, 2);
  }
}

/** Fields by name, then what is left of the bytes. Of frames of different shape (a header more, another protocol) fields that only one has are told too. */
export function frameChanges(before: Uint8Array, after: Uint8Array): FrameChange[] {
  const [old, fresh] = [frameFields(before), frameFields(after)];
  const changes: FrameChange[] = [];
  const named = new Set<number>();
  const newByName = new Map(fresh.map((field) => [field.name, field]));
  const isMoved = old.some(({ name, from }) => newByName.has(name) && newByName.get(name)!.from !== from);
  for (const field of old) {
    const now = newByName.get(field.name);
    if (now?.text !== field.text) changes.push({ field: field.name, from: field.text, to: now?.text ?? "-" });
    for (let at = field.from; at < field.to; at++) named.add(at);
  }
  const oldNames = new Set(old.map(({ name }) => name));
  for (const field of fresh) {
    if (!oldNames.has(field.name)) changes.push({ field: field.name, from: "-", to: field.text });
    for (let at = field.from; at < field.to; at++) named.add(at);
  }
  if (before.length !== after.length) changes.push({ field: "bytes kept", from: String(before.length), to: String(after.length) });
  // Where a header came or went, everything behind it lies elsewhere.
  if (!isMoved) changes.push(...byteChanges(before, after, named));
  return changes;
}

function byteChanges(before: Uint8Array, after: Uint8Array, named: ReadonlySet<number>): FrameChange[] {
  const changes: FrameChange[] = [];
  let [told, more] = [0, 0];
  const length = Math.min(before.length, after.length);
  for (let at = 0; at < length; at++) {
    if (named.has(at) || before[at] === after[at]) continue;
    let end = at;
    while (end < length && !named.has(end) && before[end] !== after[end]) end += 1;
    const bytes = Math.min(end - at, HEX_BYTES_MAX - told);
    if (bytes > 0) {
      const field = bytes === 1 ? `byte ${at}` : `bytes ${at}-${at + bytes - 1}`;
      changes.push({ field, from: hexOf(before.subarray(at, at + bytes)), to: hexOf(after.subarray(at, at + bytes)) });
    }
    told += Math.max(bytes, 0);
    more += end - at - Math.max(bytes, 0);
    at = end;
  }
  if (more > 0) changes.push({ field: "other bytes", from: `${more}`, to: "changed" });
  return changes;
}

/** `tcp 10.0.0.1:4242 > 192.0.2.7:80 [SYN]`. */
export function frameTitle(bytes: Uint8Array): string {
  const by = new Map(frameFields(bytes).map(({ name, text }) => [name, text]));
  const [src, dst] = [by.get("ip.src"), by.get("ip.dst")];
  if (src === undefined || dst === undefined) return `${by.get("eth.src") ?? "a frame"} > ${by.get("eth.dst") ?? ""}`.trim();
  const name = ["tcp", "udp", "icmp"].find((one) => by.has(`${one}.src_port`) || by.has(`${one}.type`)) ?? "ip";
  const end = (address: string, port: string | undefined): string =>
    port === undefined ? address : address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const flags = by.get("tcp.flags");
  const title = `${name} ${end(src, by.get(`${name}.src_port`))} > ${end(dst, by.get(`${name}.dst_port`))}`;
  return flags === undefined ? title : `${title} [${flags}]`;
}
