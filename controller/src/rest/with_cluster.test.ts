/** REST over a whole controller, with a host that does as it is told: the way of an NF from its push to its rollback, as a user goes it. */
import { afterEach, expect, test, vi } from "vitest";
import { ClusterWorld } from "../cluster/testing/cluster_world.ts";
import { artifactOf } from "../artifacts/testing/artifacts.ts";
import { ApiTokens, type RestServer, createRestServer } from "./index.ts";
import { parsePrometheus } from "./testing/prometheus_text.ts";
import { type Reply, expectRefusal, requireSchema, send } from "./testing/rest_lab.ts";

let world: ClusterWorld;
let server: RestServer;
afterEach(async () => {
  await server.close();
  await world.close();
});

const WEB = "/v1/tenants/blue/deployments/web";

test("from a push to a rollback, with what happened told", async () => {
  world = await ClusterWorld.open({ tenants: ["blue", "green"] });
  const { store, cluster } = world.controller;
  const tokens = new ApiTokens(store);
  const [{ token: admin }, { token: green }] = [
    await tokens.make({ label: "ann", scope: "admin" }),
    await tokens.make({ label: "gus", scope: "admin", tenant: "green" }),
  ];
  server = await createRestServer({ cluster, store, tokens, onJson: requireSchema });
  const url = await server.listen({ host: "127.0.0.1", port: 0 });
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}, token = admin): Promise<Reply> =>
    send(url, method, path, { token, headers, ...(body !== undefined && { body }) });
  for (const version of ["1.0.0", "1.1.0"]) {
    const pushed = await ask("POST", "/v1/tenants/blue/artifacts", await artifactOf({ version, build: version === "1.0.0" ? 0 : 1 }), {
      "content-type": "application/wasm",
    });
    expect(pushed.status, pushed.text).toBe(201);
  }
  const input = { apiVersion: "nfactor/v1", ports: { client: { iface: "c0" }, server: { iface: "s0" } }, chain: [{ nf: "firewall@1.0.0" }] };
  const tried = await ask("PUT", `${WEB}?dry_run=true`, input);
  expect([tried.status, tried.body.dry_run], tried.text).toEqual([200, true]);
  expectRefusal(await ask("GET", WEB), 404, "store.not_found");
  const deployed = await ask("PUT", WEB, input, { "if-none-match": "*" });
  expect(deployed.body, deployed.text).toMatchObject({ deployment: "blue/web", revision: 1, done: true });
  expectRefusal(await ask("PUT", WEB, input, { "if-none-match": "*" }), 412, "store.stale");
  const got = await ask("GET", WEB);
  expect(got.body).toMatchObject({ name: "blue/web", state: "running", revision: 1 });
  const swapped = await ask("POST", `${WEB}/swap`, { entry: "firewall", nf: "firewall@1.1.0" }, { "if-match": got.headers.etag! });
  expect(swapped.body, swapped.text).toMatchObject({ revision: 2, action: "swap", nf: { version: "1.1.0" } });
  expectRefusal(await ask("POST", `${WEB}/swap`, { entry: "firewall", nf: "firewall@1.0.0" }, { "if-match": got.headers.etag! }), 412, "store.stale");
  expectRefusal(await ask("DELETE", "/v1/tenants/blue/artifacts/firewall@1.1.0"), 409, "artifact.in_use");
  const back = await ask("POST", `${WEB}/rollback`, {});
  expect(back.body, back.text).toMatchObject({ revision: 3 });
  const { revisions } = (await ask("GET", `${WEB}/versions`)).body as { revisions: { why: string; by: string }[] };
  expect(revisions.map(({ why, by }) => `${why} by ${by}`)).toEqual(["rollback by ann", "swap by ann", "deploy by ann"]);
  const { events } = (await ask("GET", "/v1/events?about=blue/web")).body as { events: unknown[] };
  expect(events.length).toBeGreaterThan(0);
  // What is blue's is not there for green.
  expect((await ask("GET", "/v1/events", undefined, {}, green)).text).not.toContain("blue");
  expect((await ask("GET", "/v1/deployments", undefined, {}, green)).body).toEqual({ deployments: [] });
  expectRefusal(await ask("GET", WEB, undefined, {}, green), 404, "store.not_found");
  const metrics = parsePrometheus((await ask("GET", "/metrics")).text);
  expect(metrics.get("nfactor_hosts_connected")!.samples[0]!.value).toBe(1);
  // A host's load comes in when it does.
  for (const path of ["/v1/hosts", "/v1/hosts/h1", "/v1/load", "/v1/tenants", "/v1/health", `${WEB}/flows`, `${WEB}/runtimes`])
    await vi.waitFor(async () => expect((await ask("GET", path)).status, path).toBe(200), { timeout: 20_000 });
  expect((await ask("DELETE", WEB)).status).toBe(200);
  expectRefusal(await ask("GET", WEB), 404, "store.not_found");
});
