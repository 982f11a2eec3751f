/** What is about the whole cluster: events, audit log, load, health, metrics, this document. */
import { z } from "zod";
import type { ClusterApi, NumberedEvent } from "../../cluster/cluster_api.ts";
import { limitField, queryInt } from "../fields.ts";
import { type Answer, type Services, answers, isOfTenant, json, route } from "../route.ts";
import { auditView, eventView, loadView } from "../views.ts";
import { eventsAfter } from "../event_stream.ts";

const tag = "Cluster";
const NUMBER_MAX = Number.MAX_SAFE_INTEGER;
/** Events that are looked through at once for those of one tenant. */
const LOOK = 500;

/** The newest last. */
async function eventsOf(cluster: ClusterApi, query: { about?: string | undefined; before?: number | undefined; limit: number }, bound: string | undefined) {
  if (bound === undefined) return cluster.events(query);
  const found: NumberedEvent[] = [];
  for (let before = query.before; ;) {
    const page = await cluster.events({ about: query.about ?? bound, before, limit: LOOK });
    found.unshift(...page.filter((event) => isOfTenant(event, bound)));
    if (page.length < LOOK || found.length >= query.limit) return found.slice(-query.limit);
    before = page[0]!.number;
  }
}

const healthView = z.strictObject({
  ok: z.boolean(),
  store: z.string().optional(),
  hosts: z.int().optional(),
  hosts_connected: z.int().optional(),
});

/** Whether it can do its work; with figures for who may know them. */
async function healthOf({ cluster, closing }: Services): Promise<Awaited<ReturnType<ClusterApi["health"]>>> {
  const health = await cluster.health();
  return closing.aborted ? { ...health, ok: false } : health;
}

export const clusterRoutes = [
  route({
    method: "GET",
    path: "/v1/events",
    tag,
    summary: "List events, or follow them",
    detail:
      "What happened, and each decision with its reasons. Who accepts `text/event-stream` or `application/x-ndjson` gets events as they come: from behind `Last-Event-ID` (or `after`) on, or from now on. " +
      "None comes twice, none is left out; where the log does not reach back so far, an event `gap` says from which number to which; when the number that was given is still to come (the store is an older copy), its `before` is the number that comes next. A tenant's token sees what is about its tenant.",
    scope: "read",
    reach: "own",
    query: z.strictObject({
      about: z.string().max(200).optional().describe("Only those about it: blue/web, a tenant, a host."),
      before: queryInt(1, NUMBER_MAX).optional().describe("Of a list: only those before this number."),
      after: queryInt(0, NUMBER_MAX).optional().describe("Only those behind this number."),
      limit: limitField(100, 1000),
    }),
    answers: [
      {
        description: "The newest ones, the newest last; or a stream of them.",
        content: { "application/json": z.strictObject({ events: z.array(eventView) }), "text/event-stream": undefined, "application/x-ndjson": undefined },
      },
    ],
    example: { query: "limit=10" },
    handle: async ({ services, query, bound, form, lastEvent, signal }): Promise<Answer> => {
      const { about, before, after, limit } = query;
      if (form === "once") {
        const events = await eventsOf(services.cluster, { about, before, limit }, bound);
        return json({ events: events.filter(({ number }) => number > (after ?? 0)) });
      }
      const from = lastEvent ?? after;
      return { kind: "items", items: eventsAfter(services.cluster, { about, after: from, bound }, signal) };
    },
  }),
  route({
    method: "GET",
    path: "/v1/audit",
    tag,
    summary: "List the audit log",
    detail: "Who asked for which change, from where, and what became of it; refused ones too, when their token was good. Dry runs are not in it.",
    scope: "admin",
    reach: "cluster",
    query: z.strictObject({ before: queryInt(1, NUMBER_MAX).optional().describe("Only those before this number."), limit: limitField(100, 1000) }),
    answers: [answers("The newest first.", z.strictObject({ records: z.array(auditView) }))],
    example: { query: "limit=10" },
    handle: async ({ services, query }) => json({ records: await services.audit.list(query) }),
  }),
  route({
    method: "GET",
    path: "/v1/load",
    tag,
    summary: "Get the load of all runtimes, as they reported last",
    detail: "Counters are since the start of a runtime's process. A tenant's token sees its own.",
    scope: "read",
    reach: "own",
    answers: [answers("By deployment.", loadView)],
    example: {},
    handle: async ({ services, bound }) =>
      json({ load: services.cluster.load().filter(({ deployment }) => bound === undefined || deployment.startsWith(`${bound}/`)) }),
  }),
  route({
    method: "GET",
    path: "/v1/health",
    tag,
    summary: "Tell whether the controller lives",
    detail: "Needs no token; with one of all tenants it has figures.",
    scope: "none",
    reach: "own",
    answers: [answers("It answers; `ok` says whether it can do its work.", healthView)],
    example: {},
    handle: async ({ services, caller }) => {
      const health = await healthOf(services);
      return json(caller && caller.tenant === undefined ? health : { ok: health.ok });
    },
  }),
  route({
    method: "GET",
    path: "/v1/ready",
    tag,
    summary: "Tell whether requests should come here",
    detail: "Needs no token.",
    scope: "none",
    reach: "own",
    answers: [answers("They should.", healthView), answers("They should not: it is about to end, or its store does not work.", healthView, 503)],
    example: {},
    handle: async ({ services }) => {
      const { ok } = await healthOf(services).catch(() => ({ ok: false }));
      return json({ ok }, { status: ok ? 200 : 503 });
    },
  }),
];
