/**
 * API tokens: `nfa_` and 256 random bits. The store has only their SHA-256, which is the object's name; so a token is found by its hash, and how long that
 * takes says nothing about the token.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { API_TOKEN, type ApiToken, SCOPES } from "../cluster/kinds.ts";
import { Collection, type Store, type Stored } from "../store/index.ts";
import { DEFAULT_REST_LIMITS } from "./limits.ts";

export type Scope = (typeof SCOPES)[number];

/** Who asks. */
export interface Caller extends ApiToken {
  /** The beginning of the hash: names the token in lists, and is no secret. */
  readonly id: string;
}

const TOKEN = /^nfa_[A-Za-z0-9_-]{43}$/;
const ID_LENGTH = 16;
const FIX = "Give one that is good: Authorization: Bearer nfa_… ; an admin makes them with POST /v1/tokens.";

export interface TokenWish {
  readonly label: string;
  readonly scope: Scope;
  /** Left out: of all tenants. */
  readonly tenant?: string | undefined;
  /** Left out: until it is revoked. */
  readonly validMs?: number | undefined;
}

export class ApiTokens {
  readonly #tokens: Collection<ApiToken>;
  readonly #dateMs: () => number;
  readonly #max: number;

  constructor(store: Store, { dateMs = Date.now, max = DEFAULT_REST_LIMITS.tokens }: { readonly dateMs?: () => number; readonly max?: number } = {}) {
    this.#tokens = new Collection(store, API_TOKEN);
    this.#dateMs = dateMs;
    this.#max = max;
  }

  /** The text is shown this once. Throws NfError (store.limit, and what Store.txn() throws). */
  async make(wish: TokenWish): Promise<{ readonly token: string; readonly caller: Caller }> {
    await this.#requireRoom();
    const token = `nfa_${randomBytes(32).toString("base64url")}`;
    return { token, caller: await this.register(token, wish) };
  }

  /** For a token whose text is known already: the first admin's, which is on disk before it is good. */
  async register(token: string, { label, scope, tenant, validMs }: TokenWish): Promise<Caller> {
    const created = this.#dateMs();
    const stored = await this.#tokens.create(hashOf(token), {
      label: labelOf(label),
      scope,
      ...(tenant !== undefined && { tenant }),
      created,
      ...(validMs !== undefined && { until: created + validMs }),
    });
    return callerOf(stored);
  }

  /** Throws NfError (rest.unauthorized) unless it is one that is good. */
  async check(header: string | undefined): Promise<Caller> {
    if (header === undefined) throw new NfError("rest.unauthorized", "a token is needed", { fix: FIX });
    const token = /^Bearer +(\S+)$/i.exec(header)?.[1] ?? "";
    const hash = hashOf(token);
    const stored = TOKEN.test(token) ? await this.#tokens.find(hash) : undefined;
    if (!stored || !timingSafeEqual(Buffer.from(stored.name), Buffer.from(hash)))
      throw new NfError("rest.unauthorized", "the token is not known", { fix: FIX });
    const { until } = stored.object;
    if (until !== undefined && until <= this.#dateMs())
      throw new NfError("rest.unauthorized", `the token has expired at ${new Date(until).toISOString()}`, { fix: FIX });
    return callerOf(stored);
  }

  /** Those of one tenant, or all; expired ones too, as long as they are kept. */
  async list(tenant?: string): Promise<readonly Caller[]> {
    return (await this.#all()).map(callerOf).filter((caller) => tenant === undefined || caller.tenant === tenant);
  }

  /** By its id. Throws NfError (store.not_found). With `dryRun` it stays. */
  async revoke(id: string, { tenant, dryRun = false }: { readonly tenant?: string | undefined; readonly dryRun?: boolean } = {}): Promise<Caller> {
    const found = (await this.#all()).find(({ name, object }) => name.startsWith(id) && (tenant === undefined || object.tenant === tenant));
    if (!found || id.length !== ID_LENGTH)
      throw new NfError("store.not_found", `there is no token ${safeText(id, 80)}`, {
        given: safeText(id, 80),
        fix: "Look for its id in the list: GET /v1/tokens.",
      });
    if (!dryRun) await this.#tokens.delete(found.name, found.version);
    return callerOf(found);
  }

  async revokeOf(tenant: string): Promise<void> {
    for (const { name, object } of await this.#all()) if (object.tenant === tenant) await this.#remove(name);
  }

  /** Whether anybody can still make tokens. */
  async hasAdmin(): Promise<boolean> {
    return (await this.#all()).some(({ object }) => object.scope === "admin" && object.tenant === undefined && !this.#isOver(object));
  }

  async #requireRoom(): Promise<void> {
    const all = await this.#all();
    const over = all.filter(({ object }) => this.#isOver(object));
    for (const { name } of over) await this.#remove(name);
    const given = all.length - over.length;
    if (given >= this.#max) throw new NfError("store.limit", `there are ${given} tokens`, { allowed: `${this.#max}`, fix: "Revoke some that nobody needs." });
  }

  /** Somebody else may have been faster. */
  async #remove(name: string): Promise<void> {
    await this.#tokens.delete(name).catch((error: unknown) => {
      if (!(error instanceof NfError) || error.code !== "store.not_found") throw error;
    });
  }

  #isOver({ until }: ApiToken): boolean {
    return until !== undefined && until <= this.#dateMs();
  }

  async #all(): Promise<Stored<ApiToken>[]> {
    const all: Stored<ApiToken>[] = [];
    let after: string | undefined;
    do {
      const page = await this.#tokens.list({ after });
      all.push(...page.objects);
      after = page.next;
    } while (after !== undefined);
    return all;
  }
}

/** A label is shown in lists, logs and the history. */
const labelOf = (text: string): string => safeText(text, 40).slice(0, 64);

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

const callerOf = ({ name, object }: Stored<ApiToken>): Caller => ({ id: name.slice(0, ID_LENGTH), ...object });

export const mayDo = ({ scope }: ApiToken, needed: Scope): boolean => SCOPES.indexOf(scope) >= SCOPES.indexOf(needed);
