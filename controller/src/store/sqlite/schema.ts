/**
 * What is in the file. A change of it is a new version and a migration from the one before; a file is brought up to date, one version after the other in one
 * transaction, when it is opened.
 */
import type { Database } from "better-sqlite3";
import { type LeaseRow, type MetaRow, leaseChecksum, metaRow } from "./row.ts";

export interface Schema {
  readonly version: number;
  readonly create: string;
  /** By the version that they start from. */
  readonly migrations: Readonly<Record<number, (db: Database) => void>>;
}

/** "NFAC": in the file's header, so that no other program's database is taken for a store. */
export const APPLICATION_ID = 0x4e464143;

const META = "create table meta (one integer primary key check (one = 1), revision integer not null, compacted integer not null, crc integer not null) strict";
const LEASES = "create table leases (id integer primary key autoincrement, ttl_seconds integer not null, crc integer not null) strict";

/** The first one had no checksums of the revision and of leases. */
function addChecksums(db: Database): void {
  const { revision, compacted } = db.prepare("select revision, compacted from meta").get() as MetaRow;
  db.exec(`drop table meta; ${META}`);
  db.prepare("insert into meta values (1, :revision, :compacted, :crc)").run(metaRow(revision, compacted));
  db.exec("alter table leases add column crc integer not null default 0");
  const add = db.prepare("update leases set crc = :crc where id = :id");
  for (const { id, ttl_seconds } of db.prepare("select id, ttl_seconds from leases").all() as LeaseRow[]) add.run({ id, crc: leaseChecksum(ttl_seconds) });
}

export const SCHEMA: Schema = {
  version: 2,
  migrations: { 1: addChecksums },
  // versions: all of all keys, id in the order they were written; a deletion has no value. live: the newest one of each key that is there.
  // AUTOINCREMENT: no lease's number ever comes again.
  create: `
    ${META};
    insert into meta values (1, 1, 0, ${metaRow(1, 0).crc});
    create table versions (
      id integer primary key,
      key text not null,
      mod_revision integer not null,
      create_revision integer not null,
      version integer not null,
      lease integer,
      value blob,
      crc integer not null
    ) strict;
    create unique index versions_by_key on versions (key, mod_revision);
    create index versions_by_revision on versions (mod_revision);
    create table live (key text primary key, id integer not null) strict, without rowid;
    ${LEASES};
  `,
};
