/** Small things that every message needs: untrusted text made harmless, numbers with separators and units. */

/** Text of a guest or a file for a terminal: control characters and their like are escaped, the length is bounded. */
export function safeText(text: string, max = 400): string {
  const shown = text.slice(0, max).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
  return text.length > max ? `${shown}…` : shown;
}

/** 1234567 → "1,234,567". */
export function count(n: bigint | number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 packet", "2 packets". */
export function plural(n: bigint | number, noun: string): string {
  return `${count(n)} ${noun}${BigInt(n) === 1n ? "" : "s"}`;
}

/** 1234567 → "1.23 M"; for rates. */
export function si(n: number): string {
  for (const [limit, unit] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (n >= limit) return `${(n / limit).toPrecision(3)} ${unit}`;
  }
  return `${n < 9.95 && n >= 0.05 ? n.toFixed(1) : n.toFixed(0)} `;
}

/** "1 h 02 min", "3 min 05 s", "12.3 s", "640 ms", "8 µs", "310 ns". */
export function duration(ns: bigint | number): string {
  const n = Number(ns);
  if (n < 1e3) return `${n.toFixed(0)} ns`;
  if (n < 1e6) return `${(n / 1e3).toPrecision(3)} µs`;
  if (n < 1e9) return `${(n / 1e6).toPrecision(3)} ms`;
  const s = n / 1e9;
  if (s < 60) return `${s.toFixed(1)} s`;
  const two = (x: number) => String(Math.floor(x)).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${two((s % 3600) / 60)} min`;
}

/** Columns of text, left-aligned, or right-aligned where `right` says so. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
