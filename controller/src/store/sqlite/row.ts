/** Rows of the tables, and the checksums that tie their columns together: SQLite has none, and a bit that flipped in a value is no error to it. */
import { crc32 } from "node:zlib";
import type { Version } from "../local/backend.ts";
import { damaged } from "./sqlite_error.ts";

/** Of the table `versions`. */
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

/** The only row of the table `meta`. */
export interface MetaRow {
  readonly revision: number;
  readonly compacted: number;
  readonly crc: number;
}

export const metaRow = (revision: number, compacted: number): MetaRow => ({ revision, compacted, crc: crc32(JSON.stringify([revision, compacted])) });

/** Throws NfError (store.damaged). */
export function requireMeta(path: string, row: MetaRow): void {
  if (metaRow(row.revision, row.compacted).crc !== row.crc) throw damaged(path, "the checksum of its revision is wrong");
}

/** Of the table `leases`. */
export interface LeaseRow {
  readonly id: number;
  readonly ttl_seconds: number;
  readonly crc: number;
}

/** Of what is known before a lease has its number. */
export const leaseChecksum = (ttlSeconds: number): number => crc32(JSON.stringify([ttlSeconds]));

/** Throws NfError (store.damaged). */
export function requireLease(path: string, { id, ttl_seconds, crc }: LeaseRow): void {
  if (leaseChecksum(ttl_seconds) !== crc) throw damaged(path, `the checksum of lease ${id} is wrong`);
}
