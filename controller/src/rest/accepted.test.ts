/** What nobody waits for: accepted, refused, and followed to its end. */
import { afterEach, expect, test } from "vitest";
import { NfError } from "@nfactor/sdk/errors";
import { prefersAsync } from "./accepted.ts";
import { type Route, placeholders, routeName } from "./route.ts";
import { pathOf } from "./examples.ts";
import { type RestLab, ROUTES, expectRefusal, openRestLab } from "./testing/rest_lab.ts";

let lab: RestLab;
afterEach(() => lab.close());

const lasting = ROUTES.filter(({ progressAbout }) => progressAbout !== undefined);
const ASYNC = { prefer: "respond-async" };
const ask = (route: Route, more: { readonly headers?: Readonly<Record<string, string>>; readonly query?: string } = {}) =>
  lab.send(route.method, `${pathOf(route)}${more.query ?? ""}`, {
    token: lab.token.admin,
    headers: { ...ASYNC, ...more.headers },
    ...(route.example.body !== undefined && { body: route.example.body }),
  });
const audit = async (): Promise<{ outcome: string; status: number }[]> =>
  (await lab.send("GET", "/v1/audit", { token: lab.token.admin })).body.records as { outcome: string; status: number }[];

test.each(lasting.map((route) => [routeName(route), route] as const))("%s: is accepted, and goes on", async (_, route) => {
  lab = await openRestLab();
  const about = route.path.includes("{host}") ? "h1" : "blue/web";
  const last = await lab.cluster.tell({ about });
  const before = await lab.fingerprint();
  const gate = lab.cluster.hold();
  const reply = await ask(route);
  if (route.path.endsWith("/undrain")) return void expect(reply.status).toBe(200); // It takes no time.
  expect(reply.status, reply.text).toBe(202);
  const status = pathOf({ ...route, path: route.path.slice(0, route.path.lastIndexOf("}") + 1) });
  expect(reply.body).toEqual({ accepted: true, about, status, events: `/v1/events?about=${encodeURIComponent(about)}&after=${last}` });
  expect(reply.headers).toMatchObject({ location: status, "preference-applied": "respond-async" });
  expect(await audit()).toMatchObject([{ outcome: "accepted", status: 202 }]);
  expect((await lab.send("GET", status, { token: lab.token.read })).status).toBe(200);
  await lab.cluster.tell({ about });
  const events = await lab.send("GET", reply.body.events as string, { token: lab.token.read });
  expect((events.body.events as { number: number }[]).map(({ number }) => number)).toEqual([last + 1]);
  gate.open();
  if (route.path.includes("{deployment}") && !/(migrate|drain|recover)$/.test(route.path))
    while ((await lab.fingerprint()) === before) await new Promise(setImmediate);
  // Once for each request, also when it has ended.
  expect(await audit()).toHaveLength(1);
});

test.each(lasting.map((route) => [routeName(route), route] as const))("%s: what is refused is refused", async (_, route) => {
  lab = await openRestLab();
  const before = await lab.fingerprint();
  const name = placeholders(route.path).at(-1)!;
  const path = pathOf(route, { [name]: "nosuch" });
  const sent = { token: lab.token.admin, headers: ASYNC, ...(route.example.body !== undefined && { body: route.example.body }) };
  if (!route.makes) expectRefusal(await lab.send(route.method, path, sent), 404, "store.not_found");
  if (route.versioned) expectRefusal(await ask(route, { headers: { "if-match": '"999999"' } }), 412, "store.stale");
  expect((await ask(route, { query: "?dry_run=true" })).status).toBe(200);
  expect(await lab.fingerprint()).toBe(before);
});

test("what fails once it is accepted keeps nobody, and is no fault", async () => {
  lab = await openRestLab();
  lab.cluster.migrate = async (_name, _params, { onAccepted }) => {
    onAccepted?.();
    throw new NfError("rpc.lost", "the host is gone");
  };
  const reply = await lab.send("POST", "/v1/tenants/blue/deployments/web/migrate", {
    token: lab.token.operate,
    headers: ASYNC,
    body: { from: 1, to: 2, flows: { all: true } },
  });
  expect(reply.status).toBe(202);
  expect(lab.log).toEqual([]);
});

test("they are bounded, with streams", async () => {
  lab = await openRestLab({ limits: { streams: 1 } });
  const path = "/v1/tenants/blue/deployments/web/scale";
  const scale = () => lab.send("POST", path, { token: lab.token.deploy, headers: ASYNC, body: { min: 2, max: 3 } });
  const gate = lab.cluster.hold();
  expect((await scale()).status).toBe(202);
  expectRefusal(await scale(), 503, "rest.busy");
  gate.open();
  let status = 503;
  while (status === 503) ({ status } = await scale());
  expect(status).toBe(202);
});

test.each([
  ["respond-async", true],
  ["return=minimal, Respond-Async, wait=10", true],
  ["respond-async; x=1", true],
  ["respond-asynchronously", false],
  ["wait=10", false],
  [undefined, false],
] as const)("Prefer: %s", async (header, is) => {
  lab = await openRestLab();
  expect(prefersAsync(header === undefined ? undefined : header)).toBe(is);
});
