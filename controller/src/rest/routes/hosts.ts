/** Hosts: the machines. They belong to no tenant, so a tenant's token sees nothing of them. */
import { z } from "zod";
import { ofHost } from "../fields.ts";
import { answers, json, route } from "../route.ts";
import { hostJson, hostView, storedHostJson, storedHostView } from "../views.ts";
import { removedView } from "./tenants.ts";

const tag = "Hosts";
const drained = z.strictObject({
  host: z.string(),
  dry_run: z.boolean(),
  moved: z.int().describe("Runtimes that went elsewhere, or would."),
  left: z.array(z.string()).describe("Deployments that cannot leave it: their ports are there."),
});

const joining = z.strictObject({
  host: z.string(),
  token: z.string(),
  until: z.number(),
  controller: z
    .array(z.string())
    .describe("Where it connects, as address and port; none: the controller takes no hosts of other machines (`nfactor up --rpc`)."),
});

const cordoning = (name: "cordon" | "uncordon") =>
  route({
    method: "POST",
    path: `/v1/hosts/{host}/${name}`,
    tag,
    summary: name === "cordon" ? "Let nothing new come to a host" : "Let new things come to a host again",
    ...(name === "cordon" && { detail: "What is there leaves it, as far as it can." }),
    scope: "operate",
    reach: "cluster",
    changes: true,
    versioned: true,
    params: ofHost,
    answers: [answers("The host as it is now, or would be.", storedHostView)],
    example: {},
    handle: async ({ services, params, write }) => {
      const stored = await services.cluster.cordon(params.host, name === "cordon", write);
      return json(storedHostJson(stored), { version: stored.version });
    },
  });

export const hostRoutes = [
  route({
    method: "GET",
    path: "/v1/hosts",
    tag,
    summary: "List hosts",
    scope: "read",
    reach: "cluster",
    answers: [answers("The hosts.", z.strictObject({ hosts: z.array(hostView) }))],
    example: {},
    handle: async ({ services }) => json({ hosts: (await services.cluster.hosts()).map(hostJson) }),
  }),
  route({
    method: "GET",
    path: "/v1/hosts/{host}",
    tag,
    summary: "Get a host",
    scope: "read",
    reach: "cluster",
    params: ofHost,
    answers: [answers("The host.", hostView)],
    example: {},
    handle: async ({ services, params }) => {
      const view = await services.cluster.host(params.host);
      return json(hostJson(view), { version: view.host.version });
    },
  }),
  route({
    method: "POST",
    path: "/v1/hosts/{host}/join_token",
    tag,
    summary: "Make a token with which a host joins",
    detail: "For one host of this name, once, within an hour. Of a name that is known, the machine is replaced as the token is used.",
    scope: "admin",
    reach: "cluster",
    changes: true,
    makes: true,
    params: ofHost,
    answers: [
      answers("The token: `nfactor host --controller <address> --join <token>` on the machine.", joining, 201),
      answers("Of a dry run.", z.strictObject({ host: z.string(), dry_run: z.boolean() })),
    ],
    example: { params: { host: "h2" } },
    handle: async ({ services, params, write }) => {
      if (write.dryRun) return json({ host: params.host, dry_run: true });
      const { token, until_ms, controller } = await services.cluster.joinToken(params.host, { by: write.by });
      return json({ host: params.host, token, until: until_ms, controller }, { status: 201 });
    },
  }),
  cordoning("cordon"),
  cordoning("uncordon"),
  route({
    method: "POST",
    path: "/v1/hosts/{host}/drain",
    tag,
    summary: "Empty a host",
    detail: "Cordons it, and answers when nothing is left on it that can leave.",
    scope: "operate",
    reach: "cluster",
    changes: true,
    versioned: true,
    params: ofHost,
    progressAbout: ({ host }) => host,
    answers: [answers("What has left it.", drained)],
    example: {},
    handle: async ({ services, params, write, signal }) =>
      json({ host: params.host, dry_run: write.dryRun, ...(await services.cluster.drainHost(params.host, { ...write, signal })) }),
  }),
  route({
    method: "DELETE",
    path: "/v1/hosts/{host}",
    tag,
    summary: "Remove a host",
    detail:
      "Its certificates are worth nothing any more, and what was there of other hosts' deployments counts as ended. Refused while deployments have it as their host, or runtimes there that work.",
    scope: "admin",
    reach: "cluster",
    changes: true,
    versioned: true,
    params: ofHost,
    answers: [answers("It is removed, or would be.", removedView)],
    example: {},
    handle: async ({ services, params, write }) => {
      await services.cluster.removeHost(params.host, write);
      return json({ removed: params.host, dry_run: write.dryRun });
    },
  }),
];
