/** What is for other programs to read: metrics, and the description of this API. */
import { openapi } from "../openapi.ts";
import { route } from "../route.ts";
import { ROUTES } from "./index.ts";

const tag = "Cluster";

export const documentRoutes = [
  route({
    method: "GET",
    path: "/metrics",
    tag,
    summary: "Get metrics, for Prometheus",
    // A port on loopback is open to every user and every browser of the machine, and names of tenants and their load are nobody else's business.
    detail: "Needs a token of all tenants with scope read, also on loopback: `authorization: { credentials_file: … }` in Prometheus.",
    scope: "read",
    reach: "cluster",
    answers: [{ description: "Prometheus' text format 0.0.4.", content: { "text/plain": undefined } }],
    example: {},
    handle: async ({ services }) => ({ kind: "bytes", type: services.scrape.type, bytes: await services.scrape.text() }),
  }),
  route({
    method: "GET",
    path: "/openapi.json",
    tag,
    summary: "Get the description of this API, as OpenAPI 3.1",
    detail: "Needs no token. It is docs/openapi.json.",
    scope: "none",
    reach: "own",
    answers: [{ description: "The document.", content: { "application/json": undefined } }],
    example: {},
    handle: async () => ({ kind: "bytes", type: "application/json", bytes: (document ??= JSON.stringify(openapi(ROUTES))) }),
  }),
];

let document: string | undefined;
