/** Deployments: chains that are to run. What is wanted of one is a revision; each change makes the next one. */
import { grantSchema } from "@nfactor/host/config";
import { z } from "zod";
import type { DeployOutcome } from "../../cluster/cluster_api.ts";
import { deploymentInputSchema } from "../../cluster/deployment_input.ts";
import { nfReference, ofDeployment, ofTenant, queryFlag } from "../fields.ts";
import { type Answer, type Call, answers, json, route } from "../route.ts";
import { deploymentJson, deploymentView, outcomeView, revisionsView, swapView } from "../views.ts";

const tag = "Deployments";
const PATH = "/v1/tenants/{tenant}/deployments/{deployment}";
type Params = z.output<typeof ofDeployment>;

export const nameOf = ({ tenant, deployment }: Params): string => `${tenant}/${deployment}`;

/** What all that change a deployment have in common. */
export const changing = {
  tag,
  reach: "tenant",
  changes: true,
  params: ofDeployment,
  progressAbout: nameOf,
} as const;

const outcome = answers("What was done, or would be.", outcomeView);
/** What is there no more has no ETag. */
const outcomeJson = (result: DeployOutcome): Answer => json(result, { version: result.version || undefined });
const runtimeCount = z.int().min(1).max(10_000);

async function scale({ services, params, write }: Pick<Call<Params, unknown, unknown>, "services" | "params" | "write">, bounds: { min: number; max: number }) {
  return outcomeJson(await services.cluster.scale(nameOf(params), bounds, write));
}

const listView = z.strictObject({ deployments: z.array(deploymentView) });

export const deploymentRoutes = [
  route({
    method: "GET",
    path: "/v1/deployments",
    tag,
    summary: "List deployments of all tenants",
    detail: "A tenant's token sees those of its own.",
    scope: "read",
    reach: "own",
    answers: [answers("The deployments.", listView)],
    example: {},
    handle: async ({ services, bound }) => json({ deployments: (await services.cluster.deployments(bound)).map(deploymentJson) }),
  }),
  route({
    method: "GET",
    path: "/v1/tenants/{tenant}/deployments",
    tag,
    summary: "List a tenant's deployments",
    scope: "read",
    reach: "tenant",
    params: ofTenant,
    answers: [answers("The deployments.", listView)],
    example: {},
    handle: async ({ services, params }) => json({ deployments: (await services.cluster.deployments(params.tenant)).map(deploymentJson) }),
  }),
  route({
    method: "GET",
    path: PATH,
    tag,
    summary: "Get a deployment: what is wanted, and what its host says of it",
    scope: "read",
    reach: "tenant",
    params: ofDeployment,
    answers: [answers("The deployment.", deploymentView)],
    example: {},
    handle: async ({ services, params }) => {
      const view = await services.cluster.deployment(nameOf(params));
      return json(deploymentJson(view), { version: view.wanted.version });
    },
  }),
  route({
    ...changing,
    method: "PUT",
    path: PATH,
    summary: "Deploy a chain, or change it",
    detail:
      "The body is `web.yaml` as JSON. NFs are references; the controller makes digests of them. Answers when it runs so, or, when its host is away, when it is stored (`done` is false then). " +
      "With `If-None-Match: *` it is only made, with `If-Match` only changed.",
    scope: "deploy",
    versioned: true,
    makes: true,
    query: z.strictObject({ replace: queryFlag.optional().describe("Its flows may end: needed when ports or entries change.") }),
    body: deploymentInputSchema,
    answers: [outcome],
    example: {
      body: {
        apiVersion: "nfactor/v1",
        ports: { client: { iface: "c0" }, server: { iface: "s0" } },
        scaling: { min: 2, max: 8 },
        chain: [{ nf: "firewall@1.0.0", config: { default: "allow" } }],
      },
    },
    handle: async ({ services, params, query, body, write, signal }) =>
      outcomeJson(await services.cluster.deploy(nameOf(params), body, { ...write, replace: query.replace ?? false, signal })),
  }),
  route({
    ...changing,
    method: "DELETE",
    path: PATH,
    summary: "Undeploy",
    detail: "Its flows end. Also of what a host has and the controller does not know of.",
    scope: "deploy",
    versioned: true,
    query: z.strictObject({
      force: queryFlag.optional().describe("Forget it although its host is away; what that still has when it comes back is left alone, and reported."),
    }),
    answers: [outcome],
    example: {},
    handle: async ({ services, params, query, write }) =>
      outcomeJson(await services.cluster.undeploy(nameOf(params), { ...write, force: query.force ?? false })),
  }),
  route({
    ...changing,
    method: "POST",
    path: `${PATH}/swap`,
    summary: "Replace an entry's NF by another version, on all runtimes",
    detail: "Between two bursts: nothing is dropped, flows keep their states. Refused before anything changes when the layouts of the states differ.",
    scope: "deploy",
    versioned: true,
    body: z.strictObject({
      entry: z.string().min(1).max(64).describe("Name of the entry in the chain."),
      nf: nfReference,
      config: z.unknown().optional().describe("Left out: the entry's present one."),
      grant: grantSchema.optional().describe("Left out: the entry's present one."),
    }),
    answers: [answers("What was done, or would be.", swapView)],
    example: { body: { entry: "firewall", nf: "firewall@1.0.0" } },
    handle: async ({ services, params, body, write }) => {
      const { entry, nf, config, grant } = body;
      const result = await services.cluster.swap(
        nameOf(params),
        { entry, nf, ...(config !== undefined && { config }), ...(grant !== undefined && { grant }) },
        write,
      );
      if (result.swap && !write.dryRun) services.metrics.observeSwap(result.swap);
      return outcomeJson(result);
    },
  }),
  route({
    ...changing,
    method: "POST",
    path: `${PATH}/rollback`,
    summary: "Go back to an earlier revision",
    detail: "As a new revision. Its size stays.",
    scope: "deploy",
    versioned: true,
    body: z
      .strictObject({
        to: z.int().min(1).optional().describe("Left out: the newest earlier one that differs in more than size."),
        replace: z.boolean().optional().describe("Its flows may end: needed when ports or entries change."),
      })
      .prefault({}),
    answers: [outcome],
    example: { body: { to: 1 } },
    handle: async ({ services, params, body, write }) => outcomeJson(await services.cluster.rollback(nameOf(params), body, write)),
  }),
  route({
    ...changing,
    method: "POST",
    path: `${PATH}/scale`,
    summary: "Set the bounds of a deployment's size",
    scope: "deploy",
    versioned: true,
    body: z.strictObject({ min: runtimeCount, max: runtimeCount }).refine(({ min, max }) => min <= max, { path: ["min"], message: "must not be above max" }),
    answers: [outcome],
    example: { body: { min: 2, max: 6 } },
    handle: (call) => scale(call, call.body),
  }),
  route({
    ...changing,
    method: "PUT",
    path: `${PATH}/runtimes`,
    summary: "Fix the number of a deployment's runtimes",
    detail: "As `scale` with equal bounds: runtimes start, or are drained and end, until there are so many.",
    scope: "deploy",
    versioned: true,
    body: z.strictObject({ count: runtimeCount }),
    answers: [outcome],
    example: { body: { count: 3 } },
    handle: (call) => scale(call, { min: call.body.count, max: call.body.count }),
  }),
  route({
    method: "GET",
    path: `${PATH}/versions`,
    tag,
    summary: "List a deployment's revisions",
    detail: "The last 20: who wanted what, when.",
    scope: "read",
    reach: "tenant",
    params: ofDeployment,
    answers: [answers("The revisions.", revisionsView)],
    example: {},
    handle: async ({ services, params }) => {
      const { name, wanted } = await services.cluster.deployment(nameOf(params));
      return json({ name, revisions: [...wanted.object.revisions].reverse() });
    },
  }),
];
