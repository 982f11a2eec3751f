/** A row of the table `versions`, and the checksum that ties its columns together: SQLite has none, and a bit that flipped in a value is no error to it. */
import { crc32 } from "node:zlib";
import type { Version } from "../local/backend.ts";
import { damaged } from "./sqlite_error.ts";

export interface Row {
  readonly key: string;
  readonly mod_revision: number;
  readonly create_revision: number;
  readonly version: number;
  readonly lease: number | null;
  readonly value: Uint8Array | null;
  readonly crc: number;
}

function checksum(row: Omit<Row, "crc">): number {
  const head = JSON.stringify([row.key, row.mod_revision, row.create_revision, row.version, row.lease, row.value === null]);
  return crc32(row.value ?? "", crc32(head));
}

export function rowOf({ key, modRevision, createRevision, version, lease, value }: Version): Row {
  const row = {
    key,
    mod_revision: modRevision,
    create_revision: createRevision,
    version,
    lease: lease === undefined ? null : Number(lease),
    value: value === undefined ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  };
  return { ...row, crc: checksum(row) };
}

/** Throws NfError (store.damaged). */
export function versionOf(path: string, row: Row): Version {
  if (checksum(row) !== row.crc) throw damaged(path, `the checksum of '${row.key}' at revision ${row.mod_revision} is wrong`);
  return {
    key: row.key,
    modRevision: row.mod_revision,
    createRevision: row.create_revision,
    version: row.version,
    lease: row.lease === null ? undefined : String(row.lease),
    value: row.value ?? undefined,
  };
}
