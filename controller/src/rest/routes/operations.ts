/** What is done with a deployment's runtimes and flows, and looks into its traffic. */
import { HOST_METHODS } from "@nfactor/host/session";
import { NfError } from "@nfactor/sdk/errors";
import { z } from "zod";
import type { TraceEvent } from "../../cluster/cluster_api.ts";
import { limitField, ofDeployment, queryInt, queryWords } from "../fields.ts";
import { type StreamItem, answers, json, route } from "../route.ts";
import { changing, nameOf } from "./deployments.ts";

const tag = "Flows and runtimes";
const PATH = "/v1/tenants/{tenant}/deployments/{deployment}";
const { flows, poll_load, migrate_flows, drain, undrain, recover, trace, capture } = HOST_METHODS;
/** The deployment is in the path, and whether it is a dry run in the query. */
const without = { deployment: true, dry_run: true } as const;
const FLOWS_MAX = 2000;
const PCAPNG = "application/x-pcapng";

/** Of a trace and a capture: enough for a look. */
const looking = trace.params.omit({ deployment: true }).extend({
  match: trace.params.shape.match.default([]),
  packets: trace.params.shape.packets.default(10),
  seconds: trace.params.shape.seconds.default(60),
});

/** At last the totals, with what was lost between the host and here. */
async function* packetsOf(events: AsyncIterable<TraceEvent>): AsyncGenerator<StreamItem> {
  let lost = 0;
  for await (const data of events)
    if ("totals" in data) yield { event: "totals", data: { ...data.totals, lost } };
    else if ("lost" in data) {
      lost += data.lost;
      yield { event: "lost", data };
    } else yield { event: "packet", data };
}

export const operationRoutes = [
  route({
    method: "GET",
    path: `${PATH}/flows`,
    tag,
    summary: "List flows, with the state of each NF by field",
    scope: "read",
    reach: "tenant",
    params: ofDeployment,
    query: z.strictObject({
      match: queryWords.describe(
        "Words that all have to match: a protocol (tcp), an address or prefix, :port, address:port, or a field (fw.tag=1; also != < <= > >=).",
      ),
      limit: limitField(100, FLOWS_MAX),
      runtime: queryInt(0, 65_535).optional().describe("Only those of this runtime."),
    }),
    answers: [answers("The flows that match.", flows.result)],
    example: { query: "match=tcp&match=:80&limit=10" },
    handle: async ({ services, params, query }) => {
      const { match, limit, runtime } = query;
      return json(await services.cluster.flows(nameOf(params), { match, limit, ...(runtime !== undefined && { runtime }) }));
    },
  }),
  route({
    method: "GET",
    path: `${PATH}/runtimes`,
    tag,
    summary: "List a deployment's runtimes, as they are now: its host is asked",
    scope: "read",
    reach: "tenant",
    params: ofDeployment,
    answers: [answers("The virtual switch, and each runtime.", poll_load.result)],
    example: {},
    handle: async ({ services, params }) => json(await services.cluster.runtimes(nameOf(params))),
  }),
  route({
    ...changing,
    tag,
    method: "POST",
    path: `${PATH}/migrate`,
    summary: "Move flows from one runtime to another",
    detail: "Under traffic, with their states, in order. Those that do not move stay where they were, and go on.",
    scope: "operate",
    body: migrate_flows.params.omit(without),
    answers: [answers("How many moved.", migrate_flows.result)],
    example: { body: { from: 1, to: 2, flows: { count: 100 } } },
    handle: async ({ services, params, body, write }) => {
      const result = await services.cluster.migrate(nameOf(params), { ...body, dry_run: write.dryRun }, write);
      if (!write.dryRun) services.metrics.observeMigration("request", result);
      return json(result);
    },
  }),
  route({
    ...changing,
    tag,
    method: "POST",
    path: `${PATH}/drain`,
    summary: "Move all flows off a runtime, and give it no new ones",
    scope: "operate",
    body: drain.params.omit(without).extend({ to: drain.params.shape.to.default([]).describe("Where they go, in turn; empty: to all others.") }),
    answers: [answers("How many moved.", drain.result)],
    example: { body: { runtime: 2 } },
    handle: async ({ services, params, body, write }) => {
      const result = await services.cluster.drain(nameOf(params), { ...body, dry_run: write.dryRun }, write);
      if (!write.dryRun) services.metrics.observeMigration("request", result);
      return json(result);
    },
  }),
  route({
    ...changing,
    tag,
    method: "POST",
    path: `${PATH}/undrain`,
    summary: "Give a runtime new flows again",
    scope: "operate",
    body: undrain.params.omit({ deployment: true }),
    answers: [answers("Whether it was draining.", undrain.result.extend({ dry_run: z.boolean() }))],
    example: { body: { runtime: 2 } },
    handle: async ({ services, params, body, write }) => {
      if (!write.dryRun) return json({ ...(await services.cluster.undrain(nameOf(params), body, { by: write.by })), dry_run: false });
      const { runtimes } = await services.cluster.runtimes(nameOf(params));
      const found = runtimes.find(({ runtime }) => runtime === body.runtime);
      if (!found)
        throw new NfError("runtime.unknown", `there is no runtime ${body.runtime}`, {
          given: String(body.runtime),
          allowed: runtimes.flatMap(({ runtime }) => (runtime === 0 ? [] : [runtime])).join(", "),
          fix: `'nfactor runtimes ${nameOf(params)}' lists them.`,
        });
      return json({ runtime: body.runtime, was_draining: found.state === "draining" || found.state === "drained", dry_run: true });
    },
  }),
  route({
    ...changing,
    tag,
    method: "POST",
    path: `${PATH}/recover`,
    summary: "Let a runtime's flows go on from their replicas, as if it had died",
    scope: "operate",
    body: recover.params.omit(without),
    answers: [answers("How many go on.", recover.result)],
    example: { body: { runtime: 2 } },
    handle: async ({ services, params, body, write }) => {
      const result = await services.cluster.recover(nameOf(params), { ...body, dry_run: write.dryRun }, write);
      if (!write.dryRun) services.metrics.observeRecovery("request", result);
      return json(result);
    },
  }),
  route({
    method: "POST",
    path: `${PATH}/trace`,
    tag,
    summary: "Follow packets through the chain, hop by hop",
    detail:
      "A stream in any case: server-sent events, or lines of JSON. Event `packet` for each packet, with its hops and their bytes in base64; event `lost` where some were lost, since they came faster than they were read. At last `totals`: how many matched, were shown (`packets`), were missed by the host, and were `lost` on the way; then `end`, when so many packets were seen, or the time is over. " +
      "It shows payloads, so it is in the audit log.",
    scope: "operate",
    reach: "tenant",
    audited: true,
    params: ofDeployment,
    body: looking.prefault({}),
    answers: [{ description: "The packets, as they come.", content: { "application/x-ndjson": undefined, "text/event-stream": undefined } }],
    example: { body: { match: ["tcp", ":80"], packets: 2, seconds: 1 } },
    handle: async ({ services, params, body, signal }) => ({ kind: "items", items: packetsOf(services.cluster.trace(nameOf(params), body, signal)) }),
  }),
  route({
    method: "POST",
    path: `${PATH}/capture`,
    tag,
    summary: "Capture packets at a point of the chain",
    detail:
      "A pcapng file as it comes, with verdict and reason as comments. A connection that ends without the last chunk was cut off. It shows payloads, so it is in the audit log.",
    scope: "operate",
    reach: "tenant",
    audited: true,
    params: ofDeployment,
    body: looking.extend({ point: capture.params.shape.point }),
    answers: [{ description: "The file.", content: { [PCAPNG]: undefined } }],
    example: { body: { point: "in", packets: 2, seconds: 1 } },
    handle: async ({ services, params, body, signal }) => ({ kind: "chunks", type: PCAPNG, chunks: services.cluster.capture(nameOf(params), body, signal) }),
  }),
];
