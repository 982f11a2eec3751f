/** From an HTTP request to what a route is called with: who asks, in which form, which version, which fields. Everything that is wrong with it is said here. */
import type { IncomingHttpHeaders } from "node:http";
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";
import { TENANT } from "../cluster/kinds.ts";
import { Collection } from "../store/index.ts";
import { fieldError } from "./error_answer.ts";
import { queryFlag } from "./fields.ts";
import { NDJSON, SSE } from "./streams.ts";
import { type Form, type Route, type Services, placeholders } from "./route.ts";
import { type Caller, mayDo } from "./tokens.ts";

const JSON_TYPE = "application/json";
const WASM = "application/wasm";
const FORM = "multipart/form-data";

const refuseTenant = (tenant: string): NfError =>
  new NfError("store.not_found", `there is no tenant '${safeText(tenant, 80)}'`, {
    given: safeText(tenant, 80),
    fix: "Look for its name in the list of them.",
  });

/** Throws NfError (rest.forbidden; store.not_found for what a tenant's token must not know of). */
export function requireAllowed({ scope, reach }: Route, caller: Caller, params: Readonly<Record<string, string>>): void {
  if (scope === "none") return;
  const { tenant } = caller;
  // The same words as for one that is not there.
  if (tenant !== undefined && params.tenant !== undefined && params.tenant !== tenant) throw refuseTenant(params.tenant);
  if (tenant !== undefined && reach === "cluster")
    throw new NfError("rest.forbidden", `this is not for tokens of one tenant, as '${caller.label}' is of ${tenant}`, {
      given: `tenant ${tenant}`,
      allowed: "a token of all tenants",
      fix: "Ask the operator.",
    });
  if (mayDo(caller, scope)) return;
  throw new NfError("rest.forbidden", `token '${caller.label}' may not do this: its scope is ${caller.scope}`, {
    given: caller.scope,
    allowed: `${scope}, or a scope above it`,
    fix: "Use another token, or let an admin make one with that scope.",
  });
}

/** Throws NfError (rest.media_type, rest.too_large) before anything of the body is read. */
export function requireBody(route: Route, headers: IncomingHttpHeaders, bytesMax: number): void {
  const length = headers["content-length"];
  if (length !== undefined && Number(length) > bytesMax)
    throw new NfError("rest.too_large", `the body has ${length} bytes`, { given: length, allowed: `at most ${bytesMax} bytes`, fix: "Make it smaller." });
  const hasBody = headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
  const allowed = route.upload ? [WASM, FORM] : [JSON_TYPE];
  const given = headers["content-type"];
  const type = given?.split(";")[0]!.trim().toLowerCase();
  if ((type === undefined && !hasBody && !route.upload) || (type !== undefined && allowed.includes(type))) return;
  throw new NfError("rest.media_type", type === undefined ? "the body's type is not said" : `a body of type ${safeText(type, 80)} is not taken here`, {
    given: safeText(given ?? "nothing", 80),
    allowed: allowed.join(", "),
    fix: "Say it in Content-Type.",
  });
}

/** The first that is understood; a browser's wish for anything gets one answer. */
export function formOf(accept: string | undefined): Form {
  for (const each of (accept ?? "").split(",")) {
    const type = each.split(";")[0]!.trim().toLowerCase();
    if (type === SSE) return "sse";
    if (type === NDJSON) return "ndjson";
    if (type === JSON_TYPE || type === "*/*") return "once";
  }
  return "once";
}

/** Of If-Match and If-None-Match. Throws NfError (rest.field). */
export function versionOf(route: Route, { "if-match": match, "if-none-match": none }: IncomingHttpHeaders): number | undefined {
  const refuse = (name: string, given: string, allowed: string): NfError =>
    new NfError("rest.field", `header ${name}: ${safeText(given, 80)} is no version`, {
      given: safeText(given, 80),
      allowed,
      fix: "Give the ETag of what you have read.",
    });
  // Who names a version relies on its being compared.
  if (route.changes && !route.versioned && (match ?? none) !== undefined)
    throw unknownField("headers", match === undefined ? "If-None-Match" : "If-Match", "no version is compared here");
  if (!route.versioned) return undefined;
  if (none !== undefined) {
    // Version 0 is what something has that is not there.
    if (none.trim() === "*" && match === undefined) return 0;
    throw refuse("If-None-Match", none, "*, without If-Match");
  }
  if (match === undefined) return undefined;
  const version = /^"?([1-9]\d{0,15})"?$/.exec(match.trim())?.[1];
  if (version === undefined) throw refuse("If-Match", match, 'one ETag, as "1234"');
  return Number(version);
}

/** Throws NfError (rest.field). */
export function lastEventOf(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === "") return undefined;
  const text = [header].flat()[0]!;
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new NfError("rest.field", "header Last-Event-ID: it is no number of an event", {
    given: safeText(text, 80),
    fix: "Give the id of the last event that came.",
  });
}

export interface Fields {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly dryRun: boolean;
}

/** Throws NfError (rest.field). */
export function fieldsOf(route: Route, given: { readonly params: unknown; readonly query: unknown; readonly body: unknown }): Fields {
  const params = parsed("path", route.params, given.params);
  const { dry_run: flag, ...rest } = { ...(given.query as Record<string, unknown>) };
  if (flag !== undefined && !route.changes) throw unknownField("query", "dry_run", "this changes nothing");
  const dryRun = flag === undefined ? false : (parsed("query.dry_run", queryFlag, flag) as boolean);
  const query = parsed("query", route.query, rest);
  if (route.upload) return { params, query, body: given.body, dryRun };
  if (!route.body && given.body !== undefined && JSON.stringify(given.body) !== "{}") throw unknownField("body", "something", "nothing is taken there");
  return { params, query, body: parsed("body", route.body, given.body), dryRun };
}

const unknownField = (part: string, field: string, why: string): NfError => new NfError("rest.field", `${part} has ${field}: ${why}`, { fix: "Leave it out." });

function parsed(part: string, schema: Route["params"], given: unknown): unknown {
  if (!schema) {
    const [name] = part === "query" ? Object.keys(given as object) : [];
    if (name !== undefined) throw unknownField(part, safeText(name, 80), "there is no such field");
    return {};
  }
  const { success, data, error } = schema.safeParse(given);
  if (!success) throw fieldError(part, error, given);
  return data;
}

/** Throws NfError (store.not_found). */
export async function requireTenant({ store }: Services, route: Route, params: unknown): Promise<void> {
  const names = placeholders(route.path);
  if (!names.includes("tenant") || (route.makes && names.at(-1) === "tenant")) return;
  await new Collection(store, TENANT).get((params as { readonly tenant: string }).tenant);
}
