/** API tokens. Who is bound to a tenant makes, sees and revokes tokens of that tenant only, and never more than it may do itself. */
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";
import { TENANT } from "../../cluster/kinds.ts";
import { Collection } from "../../store/index.ts";
import { tenantName, tokenId } from "../fields.ts";
import { answers, json, route } from "../route.ts";
import { scopeField, tokenJson, tokenMade, tokenView } from "../views.ts";

const tag = "Tokens";
const YEARS_10 = 10 * 366 * 86_400;

const tokenInput = z.strictObject({
  label: z.string().min(1).max(40).describe("Whose it is: shown in lists, in the history and in the audit log."),
  scope: scopeField,
  tenant: tenantName.optional().describe("The only tenant that it is for. Left out: all, and what belongs to none. Of a tenant's token: that tenant."),
  valid_seconds: z.int().min(60).max(YEARS_10).optional().describe("Left out: until it is revoked."),
});

export const tokenRoutes = [
  route({
    method: "GET",
    path: "/v1/whoami",
    tag,
    summary: "Tell whose token this is",
    scope: "read",
    reach: "own",
    answers: [answers("The token, without its text.", tokenView)],
    example: {},
    handle: async ({ caller }) => json(tokenJson(caller!)),
  }),
  route({
    method: "GET",
    path: "/v1/tokens",
    tag,
    summary: "List tokens",
    scope: "admin",
    reach: "own",
    answers: [answers("All that are kept, those that have expired included.", z.strictObject({ tokens: z.array(tokenView) }))],
    example: {},
    handle: async ({ services, bound }) => json({ tokens: (await services.tokens.list(bound)).map(tokenJson) }),
  }),
  route({
    method: "POST",
    path: "/v1/tokens",
    tag,
    summary: "Make a token",
    detail: "Its text is in this answer and nowhere else.",
    scope: "admin",
    reach: "own",
    changes: true,
    body: tokenInput,
    answers: [answers("The token.", tokenMade, 201), answers("Of a dry run.", tokenMade)],
    example: { body: { label: "ci of blue", scope: "deploy", tenant: "blue", valid_seconds: 86400 } },
    handle: async ({ services, body, bound, write }) => {
      const tenant = body.tenant ?? bound;
      // The words for one that is not there: whether another tenant is, is no business of a tenant's.
      if (bound !== undefined && tenant !== bound)
        throw new NfError("store.not_found", `there is no tenant '${tenant}'`, { given: tenant, allowed: bound, fix: "Leave the tenant out." });
      if (tenant !== undefined) await new Collection(services.store, TENANT).get(tenant);
      const { label, scope, valid_seconds } = body;
      const wish = { label, scope, tenant, ...(valid_seconds !== undefined && { validMs: valid_seconds * 1000 }) };
      if (!write.dryRun) {
        const { token, caller } = await services.tokens.make(wish);
        return json({ ...tokenJson(caller), token, dry_run: false }, { status: 201 });
      }
      const created = services.dateMs();
      const until = wish.validMs === undefined ? {} : { until: created + wish.validMs };
      return json({ id: "0".repeat(16), label, scope, ...(tenant !== undefined && { tenant }), created, ...until, dry_run: true });
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/tokens/{id}",
    tag,
    summary: "Revoke a token",
    detail: "The next request with it is refused. Streams that are open go on until they end.",
    scope: "admin",
    reach: "own",
    changes: true,
    params: z.strictObject({ id: tokenId }),
    answers: [answers("What was revoked, or would be.", tokenView.extend({ dry_run: z.boolean() }))],
    example: { params: { id: "5f2c9a7be01d3348" } },
    handle: async ({ services, params, bound, write }) =>
      json({ ...tokenJson(await services.tokens.revoke(params.id, { tenant: bound, dryRun: write.dryRun })), dry_run: write.dryRun }),
  }),
];
