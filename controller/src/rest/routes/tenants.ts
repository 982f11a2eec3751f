/** Tenants: who has deployments and NFs, and how many. */
import { z } from "zod";
import { TENANT, tenantSchema } from "../../cluster/kinds.ts";
import { Collection } from "../../store/index.ts";
import { nothing, ofTenant } from "../fields.ts";
import { answers, json, route } from "../route.ts";
import { tenantJson, tenantView } from "../views.ts";

const tag = "Tenants";
export const removedView = z.strictObject({ removed: z.string().describe("What it was."), dry_run: z.boolean() });

export const tenantRoutes = [
  route({
    method: "GET",
    path: "/v1/tenants",
    tag,
    summary: "List tenants",
    detail: "A tenant's token sees its own.",
    scope: "read",
    reach: "own",
    answers: [answers("The tenants.", z.strictObject({ tenants: z.array(tenantView) }))],
    example: {},
    handle: async ({ services, bound }) =>
      json({ tenants: (await services.cluster.tenants()).filter(({ name }) => bound === undefined || name === bound).map(tenantJson) }),
  }),
  route({
    method: "GET",
    path: "/v1/tenants/{tenant}",
    tag,
    summary: "Get a tenant",
    scope: "read",
    reach: "tenant",
    params: ofTenant,
    answers: [answers("The tenant.", tenantView)],
    example: {},
    handle: async ({ services, params }) => {
      const stored = await new Collection(services.store, TENANT).get(params.tenant);
      return json(tenantJson(stored), { version: stored.version });
    },
  }),
  route({
    method: "PUT",
    path: "/v1/tenants/{tenant}",
    tag,
    summary: "Make a tenant, or change its bounds",
    detail: "What is left out stays as it is, or gets its standard value.",
    scope: "admin",
    reach: "cluster",
    changes: true,
    makes: true,
    versioned: true,
    params: ofTenant,
    body: tenantSchema.pick({ runtimes_max: true, deployments_max: true }).partial().prefault({}),
    answers: [answers("The tenant as it is now, or would be.", tenantView)],
    example: { body: { runtimes_max: 20 } },
    handle: async ({ services, params, body, write }) => {
      const wish = {
        ...(body.runtimes_max !== undefined && { runtimes_max: body.runtimes_max }),
        ...(body.deployments_max !== undefined && { deployments_max: body.deployments_max }),
      };
      // Tokens of one that had this name, if its end was cut short, or one was made at that moment.
      if (!write.dryRun && !(await new Collection(services.store, TENANT).find(params.tenant))) await services.tokens.revokeOf(params.tenant);
      const stored = await services.cluster.putTenant(params.tenant, wish, write);
      return json(tenantJson(stored), { version: stored.version });
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/tenants/{tenant}",
    tag,
    summary: "Remove a tenant",
    detail: "Only one that has neither deployments nor artifacts. Its tokens are revoked.",
    scope: "admin",
    reach: "cluster",
    changes: true,
    versioned: true,
    params: ofTenant,
    query: nothing,
    answers: [answers("It is removed, or would be.", removedView)],
    example: {},
    handle: async ({ services, params, write }) => {
      await services.cluster.deleteTenant(params.tenant, write);
      // Whoever gets the name next is somebody else.
      if (!write.dryRun) await services.tokens.revokeOf(params.tenant);
      return json({ removed: params.tenant, dry_run: write.dryRun });
    },
  }),
];
