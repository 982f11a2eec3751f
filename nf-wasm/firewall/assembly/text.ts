// Reads texts of the configuration from left to right, one after the other.

@final
export class Text {
  at: i32 = 0;
  text: string = "";

  /** Starts with a text. */
  begin(text: string): Text {
    this.text = text;
    this.at = 0;
    return this;
  }

  get ended(): bool {
    return this.at >= this.text.length;
  }
  /** The next character, or 0 at the end. */
  get next(): i32 {
    return this.ended ? 0 : this.text.charCodeAt(this.at);
  }
  /** Consumes a character, if it is the next. */
  take(character: i32): bool {
    if (this.next != character) return false;
    this.at += 1;
    return true;
  }
  blanks(): void {
    while (this.next == 32 || this.next == 9) this.at += 1;
  }
  /** A number without sign, in decimal; -1 if there is none, or it is above `most`. */
  decimal(most: i32): i32 {
    const start = this.at;
    let value: i64 = 0;
    while (this.next >= 48 && this.next <= 57) {
      value = min<i64>(value * 10 + <i64>(this.next - 48), 1 << 40);
      this.at += 1;
    }
    return this.at == start || value > <i64>most ? -1 : <i32>value;
  }
}
