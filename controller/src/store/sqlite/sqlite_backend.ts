/** Versions in a SQLite file (database_file.ts). Calls block until they are done; those that write, until the disk has what they wrote. */
import type { Database, Statement } from "better-sqlite3";
import { type Backend, type KeptLease, type LiveVersion, type Version, versionBytes } from "../local/backend.ts";
import type { KeyRange } from "../names.ts";
import type { LeaseId, Revision } from "../store.ts";
import { type Row, leaseChecksum, metaRow, rowOf, versionOf } from "./row.ts";
import { sqlite } from "./sqlite_error.ts";

const BYTES = `coalesce(sum(length(key) + coalesce(length(value), 0) + ${versionBytes("", undefined)}), 0)`;
/** Versions that nobody sees who reads from :revision on: a later one is of that revision or before it, or the key is absent then. */
const UNSEEN = `from versions as v where mod_revision <= :revision and (value is null
  or exists (select 1 from versions as n where n.key = v.key and n.mod_revision > v.mod_revision and n.mod_revision <= :revision))`;

const SQL = {
  findLive: "select v.* from live join versions as v using (id) where live.key = :key",
  findAt: "select * from versions where key = :key and mod_revision <= :at order by mod_revision desc limit 1",
  scanLive: "select v.* from live join versions as v using (id) where live.key >= :lower and live.key < :upper order by live.key",
  scanAt: `select * from versions as v where key >= :lower and key < :upper and value is not null
    and mod_revision = (select max(mod_revision) from versions as n where n.key = v.key and n.mod_revision <= :at) order by key`,
  firstChange: "select mod_revision from versions where mod_revision >= :from and key >= :lower and key < :upper order by mod_revision limit 1",
  changes: "select * from versions where mod_revision = :revision and key >= :lower and key < :upper order by id",
  addVersion: `insert into versions (key, mod_revision, create_revision, version, lease, value, crc)
    values (:key, :mod_revision, :create_revision, :version, :lease, :value, :crc)`,
  setLive: "insert into live (key, id) values (:key, :id) on conflict (key) do update set id = excluded.id",
  removeLive: "delete from live where key = :key",
  setMeta: "update meta set revision = :revision, compacted = :compacted, crc = :crc",
  addLease: "insert into leases (ttl_seconds, crc) values (:ttlSeconds, :crc)",
  removeLease: "delete from leases where id = :id",
  leases: "select id, ttl_seconds from leases order by id",
  leasedKeys: "select v.key, v.lease from live join versions as v using (id) where v.lease is not null order by v.key",
  unseenBytes: `select ${BYTES} ${UNSEEN}`,
  removeUnseen: `delete ${UNSEEN}`,
} as const;

interface State {
  revision: Revision;
  compacted: Revision;
  entries: number;
  bytes: number;
}

export class SqliteBackend implements Backend {
  readonly #path: string;
  readonly #db: Database;
  readonly #sql: Readonly<Record<keyof typeof SQL, Statement>>;
  /** As the disk has it. */
  #state: State;

  /** Closes the database when close() is called, or when it throws: NfError of the area `store`. */
  constructor(path: string, db: Database) {
    this.#path = path;
    this.#db = db;
    try {
      this.#sql = Object.fromEntries(Object.entries(SQL).map(([name, sql]) => [name, this.#try(() => db.prepare(sql))])) as Record<keyof typeof SQL, Statement>;
      const state = `select revision, compacted, (select count(*) from live) as entries, (select ${BYTES} from versions) as bytes from meta`;
      this.#state = this.#try(() => db.prepare(state).get()) as State;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  get revision(): Revision {
    return this.#state.revision;
  }

  get compacted(): Revision {
    return this.#state.compacted;
  }

  get entries(): number {
    return this.#state.entries;
  }

  get bytes(): number {
    return this.#state.bytes;
  }

  find(key: string, at?: Revision): LiveVersion | undefined {
    const row = this.#try(() => (at === undefined ? this.#sql.findLive.get({ key }) : this.#sql.findAt.get({ key, at }))) as Row | undefined;
    const version = row && versionOf(this.#path, row);
    return version?.value === undefined ? undefined : (version as LiveVersion);
  }

  *scan({ lower, upper }: KeyRange, at: Revision | undefined): Iterable<LiveVersion> {
    const rows = at === undefined ? this.#sql.scanLive.iterate({ lower, upper }) : this.#sql.scanAt.iterate({ lower, upper, at });
    try {
      for (;;) {
        const { done, value } = this.#try(() => rows.next());
        if (done) return;
        yield versionOf(this.#path, value as Row) as LiveVersion;
      }
    } finally {
      rows.return?.();
    }
  }

  changes({ lower, upper }: KeyRange, from: Revision): readonly Version[] {
    const first = this.#try(() => this.#sql.firstChange.get({ from, lower, upper })) as { readonly mod_revision: number } | undefined;
    if (!first) return [];
    const rows = this.#try(() => this.#sql.changes.all({ revision: first.mod_revision, lower, upper })) as Row[];
    return rows.map((row) => versionOf(this.#path, row));
  }

  append(versions: readonly Version[], endedLease?: LeaseId): void {
    const next = { ...this.#state };
    this.#write(() => {
      for (const version of versions) {
        const { lastInsertRowid: id } = this.#sql.addVersion.run(rowOf(version));
        const { key, value } = version;
        if (value === undefined) next.entries -= this.#sql.removeLive.run({ key }).changes;
        else {
          if (version.version === 1) next.entries += 1;
          this.#sql.setLive.run({ key, id });
        }
        next.bytes += versionBytes(key, value);
      }
      if (endedLease !== undefined) this.#sql.removeLease.run({ id: Number(endedLease) });
      if (versions.length > 0) next.revision += 1;
      this.#sql.setMeta.run(metaRow(next.revision, next.compacted));
    });
    this.#state = next;
  }

  addLease(ttlSeconds: number): LeaseId {
    return String(this.#write(() => this.#sql.addLease.run({ ttlSeconds, crc: leaseChecksum(ttlSeconds) })).lastInsertRowid);
  }

  leases(): readonly KeptLease[] {
    return this.#try(() => {
      const keys = new Map<number, string[]>();
      for (const { id } of this.#sql.leases.all() as { id: number }[]) keys.set(id, []);
      for (const { key, lease } of this.#sql.leasedKeys.all() as { key: string; lease: number }[]) keys.get(lease)!.push(key);
      const leases = this.#sql.leases.all() as { id: number; ttl_seconds: number }[];
      return leases.map(({ id, ttl_seconds }) => ({ lease: String(id), ttlSeconds: ttl_seconds, keys: keys.get(id)! }));
    });
  }

  compact(revision: Revision): void {
    const bytes = this.#write(() => {
      const gone = this.#sql.unseenBytes.pluck().get({ revision }) as number;
      this.#sql.removeUnseen.run({ revision });
      this.#sql.setMeta.run(metaRow(this.#state.revision, revision));
      return gone;
    });
    this.#state = { ...this.#state, compacted: revision, bytes: this.#state.bytes - bytes };
  }

  close(): void {
    this.#try(() => this.#db.close());
  }

  #try<T>(body: () => T): T {
    return sqlite(this.#path, body);
  }

  #write<T>(body: () => T): T {
    return this.#try(() => this.#db.transaction(body).immediate());
  }
}
