// Byte strings in the flow's state: what `@bytes(n) name: Bytes` gives.
//
// A Bytes is a view: where the bytes lie and how many they are, in two words of the module that the generated getter fills each
// time the field is named. So it can be passed to functions, and must not be kept from one packet to the next. Every access is
// checked; a breach is a fault with the author's line.

@unmanaged
@final
export class Bytes {
  private start: usize;
  private count: u32;

  /** For the generated getters. */
  @inline static over(cell: usize, start: usize, count: u32): Bytes {
    store<usize>(cell, start);
    store<u32>(cell, count, 4);
    return changetype<Bytes>(cell);
  }

  @inline get length(): u32 {
    return this.count;
  }
  /** Guest address of the first byte, for load and store by hand. */
  @inline get address(): usize {
    return this.start;
  }
  @inline private at(i: u32, n: u32): usize {
    if (<u64>i + <u64>n > <u64>this.count) throw new RangeError("bytes: the index lies behind the end");
    return this.start + <usize>i;
  }
  @inline @operator("[]") private __get(i: u32): u32 {
    return <u32>load<u8>(this.at(i, 1));
  }
  @inline @operator("[]=") private __set(i: u32, value: u32): void {
    store<u8>(this.at(i, 1), <u8>value);
  }
  @inline u8(i: u32): u32 {
    return <u32>load<u8>(this.at(i, 1));
  }
  /** Network order, as the other readers. */
  @inline u16(i: u32): u32 {
    return <u32>bswap<u16>(load<u16>(this.at(i, 2)));
  }
  @inline u32(i: u32): u32 {
    return bswap<u32>(load<u32>(this.at(i, 4)));
  }
  @inline set(i: u32, value: u32): void {
    store<u8>(this.at(i, 1), <u8>value);
  }
  @inline setU16(i: u32, value: u32): void {
    store<u16>(this.at(i, 2), bswap<u16>(<u16>value));
  }
  @inline setU32(i: u32, value: u32): void {
    store<u32>(this.at(i, 4), bswap<u32>(value));
  }
  fill(value: u32, from: u32 = 0, count: u32 = this.length - from): void {
    memory.fill(this.at(from, count), <u8>value, <usize>count);
  }
  /** Moves bytes within; the ranges may overlap. */
  move(from: u32, to: u32, count: u32): void {
    memory.copy(this.at(to, count), this.at(from, count), <usize>count);
  }
  /** Copies bytes of another field. */
  copy(source: Bytes, from: u32, to: u32, count: u32): void {
    memory.copy(this.at(to, count), source.at(from, count), <usize>count);
  }
  /** True when the bytes from `from` on are this text (ASCII). */
  matches(from: u32, text: string): bool {
    const n = <u32>text.length;
    if (<u64>from + <u64>n > <u64>this.count) return false;
    for (let i: u32 = 0; i < n; i++) {
      if (<u32>load<u8>(this.start + <usize>(from + i)) != <u32>text.charCodeAt(i)) return false;
    }
    return true;
  }
}
