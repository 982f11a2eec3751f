/**
 * How hosts come in and stay in: tokens, the certificates they get for them, renewal, revocation, and the look at a certificate when somebody connects.
 *
 * A certificate is good when an authority has signed it, its time has come and not passed, and the store knows it as issued and not revoked. So revoking takes
 * no list that would have to be spread, and a key of an authority that got lost is of no use without the store.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { CONTROLLER_METHODS, GUEST_METHODS, Handlers } from "@nfactor/host/session";
import { tokenText } from "@nfactor/host/identity";
import { NfError } from "@nfactor/sdk/errors";
import { Collection, type Op, type Store, type Stored } from "../store/index.ts";
import type { Authority } from "./authority.ts";
import { subjectOf } from "./certificates.ts";
import { CERTIFICATE, type CertificateObject, TOKEN, type TokenObject } from "./kinds.ts";

const TOKEN_MS_DEFAULT = 3_600_000;
const TOKEN_MS_MAX = 7 * 86_400_000;
const TOKENS_MAX = 1000;
/** Certificates of one host that are good at once: the one it has, the next, and some whose answers got lost. */
const CERTIFICATES_PER_HOST = 8;
const HOST = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const JOIN_AGAIN = "Make a new token for the host, and join again.";

/** Who stands behind a certificate. */
export interface HostCertificate {
  readonly host: string;
  readonly serial: string;
  readonly untilMs: number;
}

export interface EnrolmentOptions {
  readonly store: Store;
  readonly authority: Authority;
  /** The time of day. */
  readonly nowMs?: () => number;
  /** These certificates are good no more: connections that were made with them have to end. */
  readonly onRevoked?: (host: string, serials: readonly string[]) => void;
}

export class Enrolment {
  readonly authority: Authority;
  readonly #store: Store;
  readonly #nowMs: () => number;
  readonly #onRevoked: (host: string, serials: readonly string[]) => void;
  readonly #tokens: Collection<TokenObject>;
  readonly #certificates: Collection<CertificateObject>;

  constructor({ store, authority, nowMs = Date.now, onRevoked = () => undefined }: EnrolmentOptions) {
    this.authority = authority;
    this.#store = store;
    this.#nowMs = nowMs;
    this.#onRevoked = onRevoked;
    this.#tokens = new Collection(store, TOKEN);
    this.#certificates = new Collection(store, CERTIFICATE);
  }

  /**
   * A token with which one host joins once, under this name. Of a name that is known, the machine is replaced: its certificates end as the token is used.
   * The text is shown this once, the store has only its hash. Throws NfError (usage, store.limit).
   */
  async makeToken(host: string, { validMs = TOKEN_MS_DEFAULT } = {}): Promise<string> {
    if (!HOST.test(host))
      throw new NfError("usage", "this cannot be a host's name", {
        allowed: "letters, digits, '_', '-' and '.', 63 at most, beginning with a letter or digit",
      });
    if (!Number.isInteger(validMs) || validMs < 1000 || validMs > TOKEN_MS_MAX)
      throw new NfError("usage", "a token cannot be good for so long", { given: `${validMs} ms`, allowed: `1,000 to ${TOKEN_MS_MAX} ms` });
    await this.#sweepTokens();
    const id = randomBytes(8).toString("hex");
    const secret = randomBytes(32).toString("base64url");
    await this.#tokens.create(id, { host, secret_sha256: hashOf(secret), until_ms: this.#nowMs() + validMs });
    return tokenText({ id, secret, fingerprint: this.authority.fingerprint });
  }

  /** For guests. */
  readonly guestHandlers: Handlers<typeof GUEST_METHODS> = {
    join: async ({ token, request }) => {
      const [id = "", secret = ""] = token.split(".");
      const stored = await this.#requireToken(id, secret);
      const { host } = stored.object;
      const { issued, record, keyDigest } = await this.authority.issue(host, request);
      const answer = (certificate: string) => ({ host, certificate, authorities: [...this.authority.trusted] });
      const again = reuse(stored.object, keyDigest);
      if (again !== undefined) return answer(again);
      const earlier = await this.#good(host);
      const used = { ...stored.object, used: { key_sha256: keyDigest, certificate: issued.certificate } };
      const { succeeded } = await this.#store.txn({
        if: [this.#tokens.ifUnchanged(id, stored.version)],
        then: [this.#tokens.put(id, used), this.#certificates.put(`${host}/${issued.serial}`, record), ...this.#revocations(earlier)],
      });
      if (!succeeded) {
        // Somebody was quicker with the same token: the same host, asking twice, or another one.
        const winner = reuse((await this.#tokens.get(id)).object, keyDigest);
        if (winner !== undefined) return answer(winner);
        throw usedToken();
      }
      this.#tell(host, earlier);
      return answer(issued.certificate);
    },
  };

  /** For hosts: part of what the controller serves. */
  readonly hostHandlers: Pick<Handlers<typeof CONTROLLER_METHODS>, "renew"> = {
    renew: async ({ request }, { peer }) => {
      if (peer.serial === undefined) throw new NfError("rpc.method", "a connection within the machine has no certificate to renew", { fix: "Renew over TLS." });
      const { issued, record } = await this.authority.issue(peer.name, request);
      const all = await this.#all(peer.name);
      const own = all.find(({ name }) => name === `${peer.name}/${peer.serial}`);
      if (!own || !this.#isGood(own.object)) throw refused("was revoked");
      // The host may have lost the answers to its last attempts: the oldest give way, not the one it is speaking with.
      const good = all.filter((one) => this.#isGood(one.object) && one !== own).sort((a, b) => a.object.until_ms - b.object.until_ms);
      const extra = good.slice(0, Math.max(0, good.length + 2 - CERTIFICATES_PER_HOST));
      const expired = all.filter(({ object }) => object.until_ms <= this.#nowMs());
      const { succeeded } = await this.#store.txn({
        // Revoked meanwhile: else the new one would outlive that.
        if: [this.#certificates.ifUnchanged(own.name, own.version)],
        then: [this.#certificates.put(`${peer.name}/${issued.serial}`, record), ...[...extra, ...expired].map((one) => this.#deletion(one))],
      });
      if (!succeeded) throw refused("was revoked");
      this.#tell(peer.name, extra);
      return { certificate: issued.certificate, authorities: [...this.authority.trusted] };
    },
  };

  /** Of a host that is to be kept out: all of its certificates, or one. Throws NfError (store.not_found) when there is nothing to revoke. */
  async revoke(host: string, serial?: string): Promise<readonly string[]> {
    const good = (await this.#good(host)).filter(({ name }) => serial === undefined || name === `${host}/${serial}`);
    if (good.length === 0)
      throw new NfError("store.not_found", "the host has no such certificate that is good", { fix: "See its certificates; it may have none any more." });
    await this.#store.txn({ then: this.#revocations(good) });
    return this.#tell(host, good);
  }

  /** Names and ends of a host's certificates that are good. */
  async certificatesOf(host: string): Promise<readonly HostCertificate[]> {
    return (await this.#good(host)).map(({ name, object }) => ({ host, serial: name.split("/")[1]!, untilMs: object.until_ms }));
  }

  /** Undefined for who has shown no certificate, and is a guest. Throws NfError (rpc.certificate) when it is not good. */
  async identify(socket: TLSSocket): Promise<HostCertificate | undefined> {
    const { raw } = socket.getPeerCertificate() as { raw?: Buffer };
    if (!raw) return undefined;
    const { name: host, serial, fromMs, untilMs } = subjectOf(raw);
    const nowMs = this.#nowMs();
    // OpenSSL knows the time as well, and says so first; the order here is that of what helps most.
    if (nowMs >= untilMs) throw refused(`has expired at ${new Date(untilMs).toISOString()}`);
    if (nowMs < fromMs) throw refused(`is good from ${new Date(fromMs).toISOString()} on`, "Set the clocks of both machines right.");
    if (!socket.authorized) throw refused(`was not issued by this controller (${String(socket.authorizationError)})`);
    const record = HOST.test(host) ? await this.#certificates.find(`${host}/${serial}`) : undefined;
    if (!record) throw refused("is not known to this controller");
    if (record.object.revoked_ms !== undefined) throw refused("was revoked");
    await this.#supersede(host, record);
    return { host, serial, untilMs };
  }

  /** It was good when its owner was let in; whether it still is. */
  async isGood({ host, serial }: HostCertificate): Promise<boolean> {
    const record = await this.#certificates.find(`${host}/${serial}`);
    return record !== undefined && this.#isGood(record.object);
  }

  /** Who comes with a certificate has it for good: those from before are of no use but to a thief. */
  async #supersede(host: string, { name, createRevision }: Stored<CertificateObject>): Promise<void> {
    const older = (await this.#all(host)).filter((one) => one.name !== name && one.createRevision < createRevision && one.object.revoked_ms === undefined);
    if (older.length > 0) await this.#store.txn({ then: older.map((one) => this.#deletion(one)) });
  }

  async #requireToken(id: string, secret: string): Promise<Stored<TokenObject>> {
    const stored = /^[0-9a-f]{16}$/.test(id) ? await this.#tokens.find(id) : undefined;
    // The same words for a wrong id and a wrong secret: nothing is to be learned by trying.
    if (!stored || !timingSafeEqual(Buffer.from(hashOf(secret)), Buffer.from(stored.object.secret_sha256)))
      throw new NfError("rpc.join", "the join token is not known", { fix: JOIN_AGAIN });
    if (stored.object.until_ms <= this.#nowMs())
      throw new NfError("rpc.join", `the join token has expired at ${new Date(stored.object.until_ms).toISOString()}`, { fix: JOIN_AGAIN });
    return stored;
  }

  async #sweepTokens(): Promise<void> {
    let [after, count]: [string | undefined, number] = [undefined, 0];
    do {
      const page = await this.#tokens.list({ after });
      for (const { name, object, version } of page.objects) {
        if (object.until_ms <= this.#nowMs()) await this.#tokens.delete(name, version);
        else count += 1;
      }
      after = page.next;
    } while (after !== undefined);
    if (count >= TOKENS_MAX) throw new NfError("store.limit", `there are ${count} tokens`, { allowed: `${TOKENS_MAX}`, fix: "Wait until some have expired." });
  }

  async #all(host: string): Promise<readonly Stored<CertificateObject>[]> {
    return (await this.#certificates.list({ under: host })).objects;
  }

  async #good(host: string): Promise<readonly Stored<CertificateObject>[]> {
    return (await this.#all(host)).filter(({ object }) => this.#isGood(object));
  }

  #isGood({ until_ms, revoked_ms }: CertificateObject): boolean {
    return revoked_ms === undefined && until_ms > this.#nowMs();
  }

  #deletion({ name }: Stored<CertificateObject>): Op {
    return { op: "delete", key: this.#certificates.keyOf(name) };
  }

  #revocations(certificates: readonly Stored<CertificateObject>[]): Op[] {
    return certificates.map(({ name, object }) => this.#certificates.put(name, { ...object, revoked_ms: this.#nowMs() }));
  }

  #tell(host: string, revoked: readonly Stored<CertificateObject>[]): readonly string[] {
    const serials = revoked.map(({ name }) => name.split("/")[1]!);
    if (serials.length > 0) this.#onRevoked(host, serials);
    return serials;
  }
}

const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

const refused = (why: string, fix = JOIN_AGAIN): NfError => new NfError("rpc.certificate", `the host's certificate ${why}`, { fix });

const usedToken = (): NfError => new NfError("rpc.join", "the join token was used", { fix: JOIN_AGAIN });

/** What the token got the first time, for the same key. Throws NfError (rpc.join) for another one. */
function reuse({ used }: TokenObject, keyDigest: string): string | undefined {
  if (!used) return undefined;
  if (used.key_sha256 !== keyDigest) throw usedToken();
  return used.certificate;
}
