/**
 * The controller's own authority: who signs, whom hosts trust, and how another one takes over.
 *
 * Taking over is in three steps, so that no host is cut off: `prepare` makes the next authority, which hosts learn of when they renew their certificates;
 * `promote` lets it sign, when all of them have; `retire` forgets the old one, when nothing it has signed is good any more. All of it is in the store.
 */
import { X509Certificate } from "node:crypto";
import { digestOfAuthorities, fingerprintOf } from "@nfactor/host/identity";
import { NfError } from "@nfactor/sdk/errors";
import { Collection, type Store, type Stored } from "../store/index.ts";
import { type IssuingKey, type Issued, issueForController, issueForHost, makeAuthority, readRequest } from "./certificates.ts";
import { AUTHORITY, type AuthorityObject, CERTIFICATE, type CertificateObject } from "./kinds.ts";

/** Hosts are told of all of them in one message. */
const AUTHORITIES_MAX = 4;

/** What a TLS server is made of. */
export interface ServerCredentials {
  readonly key: string;
  /** With its authority's behind it: a host that joins finds that by its fingerprint. */
  readonly cert: string;
  readonly ca: readonly string[];
  readonly untilMs: number;
}

type AuthorityEntry = Stored<AuthorityObject>;

export class Authority {
  readonly #store: Store;
  readonly #nowMs: () => number;
  readonly #authorities: Collection<AuthorityObject>;
  readonly #certificates: Collection<CertificateObject>;
  #all: readonly AuthorityEntry[] = [];

  private constructor(store: Store, nowMs: () => number) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#authorities = new Collection(store, AUTHORITY);
    this.#certificates = new Collection(store, CERTIFICATE);
  }

  /** That of the store, which gets one when it has none. Throws NfError (of the area store). `nowMs` is the time of day. */
  static async open(store: Store, nowMs: () => number = Date.now): Promise<Authority> {
    const authority = new Authority(store, nowMs);
    await authority.reload();
    if (authority.#all.length === 0) {
      await authority.#add("1", "signing").catch((error: unknown) => {
        // Another process was quicker.
        if (!(error instanceof NfError) || error.code !== "store.exists") throw error;
      });
      await authority.reload();
    }
    return authority;
  }

  /** As the store has it now: another process may have made a step. */
  async reload(): Promise<void> {
    const { objects, unreadable } = await this.#authorities.list();
    if (unreadable[0]) throw unreadable[0];
    this.#all = objects;
  }

  /** Of the one that signs: a part of each join token. */
  get fingerprint(): string {
    return fingerprintOf(new X509Certificate(this.#signing().object.certificate));
  }

  /** PEM, of all that are to be trusted. */
  get trusted(): readonly string[] {
    return this.#all.map(({ object }) => object.certificate);
  }

  get digest(): string {
    return digestOfAuthorities(this.trusted);
  }

  /** By number. */
  get states(): readonly { readonly name: string; readonly state: AuthorityObject["state"]; readonly madeMs: number }[] {
    return this.#all.map(({ name, object: { state, made_ms } }) => ({ name, state, madeMs: made_ms }));
  }

  /** A certificate for a host, and how it is to be remembered. Throws NfError (rpc.params) on a request that is none. */
  async issue(host: string, request: string): Promise<{ readonly issued: Issued; readonly record: CertificateObject; readonly keyDigest: string }> {
    const { key, digest } = await readRequest(request);
    const signing = this.#signing();
    const issued = await issueForHost(signing.object, host, key, this.#nowMs());
    const record = { authority: signing.name, knows: this.#all.map(({ name }) => name), until_ms: issued.untilMs };
    return { issued, record, keyDigest: digest };
  }

  async serverCredentials(): Promise<ServerCredentials> {
    const signing: IssuingKey = this.#signing().object;
    const { certificate, private_key, untilMs } = await issueForController(signing, this.#nowMs());
    return { key: private_key, cert: certificate + "\n" + signing.certificate, ca: this.trusted, untilMs };
  }

  /** Makes the next authority. Throws NfError (store.exists) when there is one. */
  async prepare(): Promise<void> {
    await this.reload();
    const next = this.#all.find(({ object }) => object.state === "next");
    if (next)
      throw new NfError("store.exists", `authority ${next.name} is already to follow`, { fix: "Promote it, when all hosts have renewed their certificates." });
    if (this.#all.length >= AUTHORITIES_MAX)
      throw new NfError("store.limit", `there are ${this.#all.length} authorities already`, {
        allowed: `${AUTHORITIES_MAX}`,
        fix: "Retire the old ones first.",
      });
    await this.#add(String(Math.max(...this.#all.map(({ name }) => Number(name))) + 1), "next");
    await this.reload();
  }

  /** Lets the next one sign. Throws NfError (rpc.certificate) when hosts do not trust it yet, unless these may be cut off and join again. */
  async promote({ force = false } = {}): Promise<void> {
    await this.reload();
    const next = this.#all.find(({ object }) => object.state === "next");
    if (!next) throw new NfError("store.not_found", "no authority is to follow", { fix: "Prepare one first." });
    const late = (await this.#good()).filter(({ object }) => !object.knows.includes(next.name)).map(({ name }) => name.split("/")[0]!);
    this.#requireNone(late, force, `have certificates from before authority ${next.name}, and would not trust the controller`);
    const steps = [[next, "signing"] as const, [this.#signing(), "past"] as const];
    const { succeeded } = await this.#store.txn({
      if: steps.map(([{ name, version }]) => this.#authorities.ifUnchanged(name, version)),
      then: steps.map(([{ name, object }, state]) => this.#authorities.put(name, { ...object, state })),
    });
    await this.reload();
    if (!succeeded) throw new NfError("store.stale", "the authorities were changed meanwhile", { fix: "See how they stand, and try again." });
  }

  /** Forgets those that have signed before. Throws NfError (rpc.certificate) when hosts have certificates of them, unless these may be cut off. */
  async retire({ force = false } = {}): Promise<void> {
    await this.reload();
    const past = this.#all.filter(({ object }) => object.state === "past");
    const users = (await this.#good()).filter(({ object }) => past.some(({ name }) => name === object.authority)).map(({ name }) => name.split("/")[0]!);
    this.#requireNone(users, force, "have certificates of an authority that is to go");
    for (const { name, version } of past) await this.#authorities.delete(name, version);
    await this.reload();
  }

  /** All certificates that a host could come with. */
  async #good(): Promise<readonly Stored<CertificateObject>[]> {
    const good: Stored<CertificateObject>[] = [];
    let after: string | undefined;
    do {
      const page = await this.#certificates.list({ after });
      good.push(...page.objects.filter(({ object }) => object.revoked_ms === undefined && object.until_ms > this.#nowMs()));
      after = page.next;
    } while (after !== undefined);
    return good;
  }

  #requireNone(hosts: readonly string[], force: boolean, what: string): void {
    const names = [...new Set(hosts)].sort();
    if (names.length === 0 || force) return;
    const shown = names.length > 10 ? `${names.slice(0, 10).join(", ")} and ${names.length - 10} more` : names.join(", ");
    throw new NfError("rpc.certificate", `these hosts ${what}: ${shown}`, {
      fix: "Let them renew their certificates, or revoke those of hosts that are gone.",
    });
  }

  async #add(name: string, state: AuthorityObject["state"]): Promise<void> {
    const nowMs = this.#nowMs();
    await this.#authorities.create(name, { state, ...(await makeAuthority(`NFActor authority ${name}`, nowMs)), made_ms: nowMs });
  }

  #signing(): AuthorityEntry {
    const signing = this.#all.find(({ object }) => object.state === "signing");
    if (!signing) throw new NfError("store.object", "no authority signs", { fix: "Put a copy of the store in its place." });
    return signing;
  }
}
