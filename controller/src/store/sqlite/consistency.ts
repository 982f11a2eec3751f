/** What SQLite cannot know of a store's tables: that they agree with each other, and that every version is what was written. */
import type { Database } from "better-sqlite3";
import { type LeaseRow, type MetaRow, type Row, requireLease, requireMeta, versionOf } from "./row.ts";

const QUESTIONS: readonly { readonly sql: string; readonly says: string }[] = [
  { sql: "select count(*) <> 1 from meta", says: "its revision is missing" },
  { sql: "select exists (select 1 from versions where mod_revision > (select revision from meta))", says: "a version is of a revision that was never made" },
  {
    sql: "select exists (select 1 from live left join versions using (id) where versions.key is not live.key or value is null)",
    says: "a key has no version",
  },
  {
    sql: `select exists (select 1 from versions v where id = (select id from versions n where n.key = v.key order by mod_revision desc limit 1)
          and (value is not null) <> exists (select 1 from live where live.id = v.id))`,
    says: "the newest version of a key is not the one that counts",
  },
  {
    sql: "select exists (select 1 from live join versions using (id) left join leases on leases.id = lease where lease is not null and leases.id is null)",
    says: "a key is bound to a lease that does not exist",
  },
];

/** In words, or undefined. Reads everything. Throws NfError (store.damaged). */
export function contradiction(path: string, db: Database): string | undefined {
  for (const { sql, says } of QUESTIONS) if (db.prepare(sql).pluck().get() !== 0) return says;
  requireMeta(path, db.prepare("select * from meta").get() as MetaRow);
  for (const row of db.prepare("select * from leases").all() as LeaseRow[]) requireLease(path, row);
  for (const row of db.prepare("select * from versions").iterate() as Iterable<Row>) versionOf(path, row);
  return undefined;
}
