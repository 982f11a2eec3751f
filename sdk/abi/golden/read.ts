/** The golden bytes (records.txt) for tests. */
import { readFileSync } from "node:fs";

export interface GoldenRecord {
  name: string;
  bytes: Uint8Array;
  /** Scalars as bigint, arrays as bytes. */
  fields: Map<string, bigint | Uint8Array>;
}

export function readGolden(): GoldenRecord[] {
  const records: GoldenRecord[] = [];
  for (const line of readFileSync(new URL("records.txt", import.meta.url), "utf8").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const field = /^(\w+)=(\d+|x[0-9a-f]*)$/.exec(line);
    const record = /^(\w+) ([0-9a-f]+)$/.exec(line);
    if (record) records.push({ name: record[1]!, bytes: fromHex(record[2]!), fields: new Map() });
    else if (field && records.length > 0) records.at(-1)!.fields.set(field[1]!, field[2]!.startsWith("x") ? fromHex(field[2]!.slice(1)) : BigInt(field[2]!));
    else throw new Error(`records.txt: '${line.slice(0, 60)}' is no record and no field`);
  }
  return records;
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}
