/**
 * A reader of WebAssembly binaries that believes nothing: every length is checked against what is left, every LEB128 number must be in range and
 * no longer than its type allows, names must be UTF-8. Throws MalformedError with the offset; never reads beyond its bytes.
 */
export class MalformedError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(`${message} at offset ${offset}`);
    this.name = "MalformedError";
    this.offset = offset;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

export class WasmReader {
  readonly bytes: Uint8Array;
  /** Next byte to read, and the first byte that may not be read, as offsets into `bytes`. */
  position: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    if (start < 0 || end > bytes.length || start > end) throw new MalformedError(`range ${start} to ${end} is outside of ${bytes.length} bytes`, start);
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.position;
  }
  get done(): boolean {
    return this.position >= this.end;
  }

  u8(what: string): number {
    if (this.position >= this.end) throw new MalformedError(`${what}: the bytes end`, this.position);
    return this.bytes[this.position++]!;
  }

  /** Unsigned LEB128 of 32 bits. */
  u32(what: string): number {
    const start = this.position;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8(what);
      if (shift === 28 && byte > 0x0f) throw new MalformedError(`${what}: the number exceeds 32 bits`, start);
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw new MalformedError(`${what}: the number is too long`, start);
  }

  /** Signed LEB128 of `bits` (32, 33 or 64) bits. */
  signed(bits: number, what: string): bigint {
    const start = this.position;
    let value = 0n;
    let shift = 0;
    for (let i = 0; i < Math.ceil(bits / 7); i++) {
      const byte = this.u8(what);
      value |= BigInt(byte & 0x7f) << BigInt(shift);
      shift += 7;
      if ((byte & 0x80) !== 0) continue;
      const result = (byte & 0x40) !== 0 ? value - (1n << BigInt(shift)) : value;
      if (BigInt.asIntN(bits, result) !== result) throw new MalformedError(`${what}: the number exceeds ${bits} bits`, start);
      return result;
    }
    throw new MalformedError(`${what}: the number is too long`, start);
  }

  /** Signed LEB128 of 32 bits, as a number. */
  s32(what: string): number {
    const start = this.position;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8(what);
      value |= (byte & 0x7f) << shift;
      // Of the fifth byte four bits count; the other three have to repeat the sign.
      if (shift === 28 && byte > 0x07 && (byte < 0x78 || byte > 0x7f)) throw new MalformedError(`${what}: the number exceeds 32 bits`, start);
      if ((byte & 0x80) === 0) return (byte & 0x40) !== 0 && shift < 28 ? value | (-1 << (shift + 7)) : value;
    }
    throw new MalformedError(`${what}: the number is too long`, start);
  }

  /** A count of things of at least `unit` bytes each: refused here when they cannot fit, so that no loop runs on a forged count. */
  count(what: string, unit = 1): number {
    const start = this.position;
    const n = this.u32(what);
    if (n * unit > this.left) throw new MalformedError(`${what}: ${n} of them cannot fit the ${this.left} bytes that are left`, start);
    return n;
  }

  /** A view of the next `length` bytes. */
  take(length: number, what: string): Uint8Array {
    if (length > this.left) throw new MalformedError(`${what}: ${length} bytes are announced, ${this.left} are left`, this.position);
    const view = this.bytes.subarray(this.position, this.position + length);
    this.position += length;
    return view;
  }

  /** A reader of the next `length` bytes, which this one skips. Offsets stay those of the whole. */
  sub(length: number, what: string): WasmReader {
    const start = this.position;
    this.take(length, what);
    return new WasmReader(this.bytes, start, start + length);
  }

  name(what: string): string {
    const start = this.position;
    const bytes = this.take(this.u32(what), what);
    try {
      return utf8.decode(bytes);
    } catch {
      throw new MalformedError(`${what}: the name is not UTF-8`, start);
    }
  }

  /** Throws unless everything was read. */
  finish(what: string): void {
    if (!this.done) throw new MalformedError(`${what}: ${this.left} bytes are left over`, this.position);
  }
}

export interface Section {
  id: number;
  /** Offset of the section's id. */
  head: number;
  /** Offset of the section's content, and one past its end. */
  start: number;
  end: number;
  body: WasmReader;
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d];
export const CORE_VERSION = [0x01, 0x00, 0x00, 0x00];
export const COMPONENT_VERSION = [0x0d, 0x00, 0x01, 0x00];

/** Which kind of binary this is by its first eight bytes; undefined if none. */
export function binaryKind(bytes: Uint8Array): "core" | "component" | undefined {
  const starts = (tail: number[]) => bytes.length >= 8 && [...MAGIC, ...tail].every((b, i) => bytes[i] === b);
  return starts(CORE_VERSION) ? "core" : starts(COMPONENT_VERSION) ? "component" : undefined;
}

/** The sections behind the eight bytes of the header. */
export function* sections(bytes: Uint8Array): Generator<Section> {
  const reader = new WasmReader(bytes, Math.min(8, bytes.length));
  while (!reader.done) {
    const head = reader.position;
    const id = reader.u8("section id");
    const length = reader.u32("section length");
    const start = reader.position;
    const body = reader.sub(length, `section ${id}`);
    yield { id, head, start, end: start + length, body };
  }
}

/** Unsigned LEB128. */
export function encodeU32(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    out.push(rest > 0 ? byte | 0x80 : byte);
  } while (rest > 0);
  return out;
}

/** A custom section (id 0) of this name and content. */
export function customSection(name: string, content: Uint8Array): Uint8Array {
  const title = new TextEncoder().encode(name);
  const head = Uint8Array.from([...encodeU32(title.length), ...title]);
  return concat([Uint8Array.from([0, ...encodeU32(head.length + content.length)]), head, content]);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
