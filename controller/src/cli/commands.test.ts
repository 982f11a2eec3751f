/**
 * Every command against a real `nfactor up`, one for the whole file, with a host that does as it is told; the commands themselves run in this process. What is
 * printed for machines is what the API answers.
 */
import type * as fs from "node:fs";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { NFACTOR } from "@nfactor/host/cli";
import { z } from "zod";
import { artifactOf } from "../artifacts/testing/artifacts.ts";
import { FakeHost } from "../cluster/testing/fake_host.ts";
import * as views from "../rest/views.ts";
import { readContexts } from "./context_file.ts";
import { User } from "./testing.ts";
import type { Captured } from "./testing_writes.ts";

const written = vi.hoisted((): Captured => ({ 1: "", 2: "" }));
vi.mock("node:fs", async (original) => {
  const { captured } = await import("./testing_writes.ts");
  return captured(await original<typeof fs>(), written);
});

let user: User;
let up: ChildProcess;
let host: FakeHost;
const events: Record<string, unknown>[] = [];
const NAME = "default/web";

/** Resolves with the first event of `nfactor up --json` of this name, which may have been already. */
async function event(name: string): Promise<Record<string, unknown>> {
  for (;;) {
    const found = events.find((one) => one.event === name);
    if (found) return found;
    if (up.exitCode !== null) throw new Error(`nfactor up has ended: ${JSON.stringify(events)}`);
    await once(up, "line");
  }
}

async function good(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await user.run(...args);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

async function json<S extends z.ZodType>(schema: S, ...args: string[]): Promise<z.output<S>> {
  return schema.parse(JSON.parse(await good(...args, "--json")));
}

beforeAll(async () => {
  user = new User(written);
  up = spawn(process.execPath, [NFACTOR, "up", "--no-host", "--state", user.path("state"), "--listen", "127.0.0.1:0", "--json"], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  createInterface({ input: up.stdout! }).on("line", (line) => {
    events.push(JSON.parse(line) as Record<string, unknown>);
    up.emit("line");
  });
  up.on("close", () => up.emit("line"));
  await event("ready");
  host = new FakeHost({ path: user.path("state/controller.sock") });
  host.start();
  await good("status", "--wait");
  for (const [name, version] of [
    ["firewall", "1.0.0"],
    ["firewall", "1.1.0"],
    ["monitor", "1.0.0"],
  ] as const)
    writeFileSync(user.path(`${name}-${version}.wasm`), await artifactOf({ name, version, build: version === "1.1.0" ? 1 : 0 }));
});
afterAll(async () => {
  await host?.stop();
  up?.kill("SIGKILL");
  user.remove();
});

test("up: makes a token and a context, which all other commands use", async () => {
  const { api } = await event("api");
  const { current, contexts } = readContexts();
  expect({ current, context: contexts.local }).toEqual({
    current: "local",
    context: { api, tenant: "default", token: expect.stringMatching(/^nfa_/) as string },
  });
  expect(await good("context")).toContain("*  local");
  expect(await good("status")).toMatch(/^controller {2}context local, http:\/\/127\.0\.0\.1:\d+: well\n/);
});

test("a second up over the same folder is refused, and the first one goes on", async () => {
  const second = spawn(process.execPath, [NFACTOR, "up", "--no-host", "--state", user.path("state"), "--listen", "127.0.0.1:0"], {
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  let stderr = "";
  second.stderr.on("data", (piece: Buffer) => (stderr += piece.toString()));
  const [code] = (await once(second, "close")) as [number];
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("error[store.locked]: ") as string });
  await good("status");
});

test("push: name, version and digest; again it is the same; another content under the number is a conflict", async () => {
  expect(await good("push", user.path("firewall-1.0.0.wasm"))).toMatch(/^firewall@1\.0\.0 {2}sha256:[0-9a-f]{12} /);
  expect(await good("push", user.path("firewall-1.0.0.wasm"))).toContain("it was there already");
  await good("push", user.path("firewall-1.1.0.wasm"));
  await good("push", user.path("monitor-1.0.0.wasm"));
  writeFileSync(user.path("other.wasm"), await artifactOf({ name: "monitor", version: "1.0.0", build: 3 }));
  const { code, stderr } = await user.run("push", user.path("other.wasm"));
  expect({ code, stderr }).toEqual({ code: 6, stderr: expect.stringContaining("error[artifact.version_taken]: ") as string });
  expect((await good("versions")).split("\n")[1]).toMatch(/^firewall +1\.1\.0 +2$/);
  const { items } = JSON.parse(await good("versions", "firewall", "--json")) as { items: unknown[] };
  expect(items.map((one) => views.artifactView.parse(one).version)).toEqual(["1.1.0", "1.0.0"]);
});

test("deploy: a dry run changes nothing; then it runs; then there is nothing to do; then a difference is shown", async () => {
  const file = user.path("web.yaml");
  const yaml = (version: string): void =>
    writeFileSync(
      file,
      `apiVersion: nfactor/v1\nports: { client: { iface: c0 }, server: { iface: s0 } }\nchain: [{ nf: monitor }, { name: fw, nf: firewall@${version} }]\n`,
    );
  yaml("1.0.0");
  expect(await good("deploy", "web", "-f", file, "--dry-run")).toBe(`${NAME}: would be started. Nothing was changed.\n`);
  expect((await user.run("status", "web")).code).not.toBe(0);
  expect(await json(views.outcomeView, "deploy", "web", "-f", file)).toMatchObject({ deployment: NAME, revision: 1, action: "start", done: true });
  expect(await json(views.outcomeView, "deploy", "web", "-f", file)).toMatchObject({ revision: 1, action: "none" });
  yaml("1.1.0");
  const { stdout, stderr } = await user.run("deploy", NAME, "-f", file, "--dry-run");
  expect(stdout).toBe(`${NAME}: entries would be swapped; no flow would end. Nothing was changed.\n`);
  expect(stderr).toMatch(
    /^ {2}- chain\[fw\]\.nf: firewall@1\.0\.0 \(sha256:[0-9a-f]{12}\)\n {2}\+ chain\[fw\]\.nf: firewall@1\.1\.0 \(sha256:[0-9a-f]{12}\)\n$/,
  );
});

test("status: a table, the API's objects, and YAML", async () => {
  await good("status", "web", "--wait");
  expect(await good("status")).toMatch(/\ndefault\/web +running +1 +h1 +2 \(2\.\.15\) +0 +monitor@1\.0\.0 > fw=firewall@1\.0\.0\n/);
  expect(await json(views.deploymentView, "status", "web")).toMatchObject({ name: NAME, state: "running" });
  expect(await good("status", "web", "-o", "yaml")).toMatch(/^---\nname: default\/web\n/);
});

test("status --wait: a deployment of which nobody has heard since is not known to be well", async () => {
  await host.stop();
  host.isSilent = true;
  host.start();
  try {
    for (const which of [["web"], []])
      expect(await user.run("status", ...which, "--wait", "--timeout", "2")).toMatchObject({
        code: 7,
        stderr: expect.stringContaining(`nothing has been heard of the runtimes of ${NAME} yet`) as string,
      });
  } finally {
    host.isSilent = false;
  }
  await good("status", "--wait");
  expect(await good("status")).not.toContain("?");
});

test("swap, versions, rollback", async () => {
  expect((await good("swap", "web", "fw", "firewall@1.1.0")).split("\n")[0]).toContain(`${NAME}: entries were swapped, no flow ended; revision 2`);
  expect(await good("versions", NAME)).toMatch(/^revision .*\n2 \* +swap .*fw=firewall@1\.1\.0\n1 +deploy .*fw=firewall@1\.0\.0\n/);
  expect(await good("rollback", "web", "--dry-run")).toContain("Nothing was changed.");
  expect(await json(views.outcomeView, "rollback", "web")).toMatchObject({ revision: 3, action: "swap", done: true });
  const { code, stderr } = await user.run("rollback", "web", "--to", "77");
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("error[cluster.revision]: ") as string });
});

test("what runs cannot be removed, what does not can", async () => {
  expect(await user.run("versions", "remove", "monitor@1.0.0")).toMatchObject({ code: 6, stderr: expect.stringContaining("error[artifact.in_use]") as string });
  expect(await good("versions", "remove", "firewall@1.0.0", "--dry-run").catch(() => "refused")).toBe("refused");
});

test("flows, and one flow; control characters of strangers do no harm", async () => {
  const key = { protocol: "tcp", initiator: { address: "10.0.0.1", port: 4242 }, responder: { address: "10.0.0.2", port: 80 }, vlan: [] };
  host.flows = { flows: [{ key, packets: [1, 2], bytes: [3, 4], nfs: { fw: { text: "\u001b[2Jgone" } }, runtime: 1 }], seen: 1, more: false };
  const text = await good("flows", "web", "tcp");
  expect(text).toContain("tcp 10.0.0.1:4242 > 10.0.0.2:80");
  expect(text).not.toContain("\u001b");
  expect(JSON.parse(await good("flow", "web", "tcp 10.0.0.1:4242 > 10.0.0.2:80", "--json"))).toEqual(host.flows.flows[0]);
  host.flows = { flows: [], seen: 0, more: false };
  expect(await user.run("flow", "web", ":1")).toMatchObject({ code: 1, stderr: expect.stringContaining("error[runtime.no_flow]") as string });
});

test("migrate, drain, undrain, recover, runtimes, scale", async () => {
  host.set(NAME, 1, { flows: 10 });
  expect(await good("migrate", "web", "--from", "1", "--to", "2", "--count", "4", "--dry-run")).toContain("4 flows would move. Nothing was changed.");
  expect(JSON.parse(await good("migrate", NAME, "--from", "1", "--to", "2", "--count", "4", "--json"))).toMatchObject({ moved: 4, failed: 0 });
  expect(await good("drain", "web", "1")).toContain("runtime 1 has no flows left");
  expect(await good("undrain", "web", "1")).toBe(`runtime 1 of ${NAME} takes new flows again\n`);
  expect(await user.run("recover", "web", "2")).toMatchObject({ code: 2, stderr: expect.stringContaining("Add --yes") as string });
  expect(JSON.parse(await good("recover", "web", "2", "--yes", "--json"))).toMatchObject({ runtime: 2, recovered: 10, lost: 0 });
  expect(await user.run("drain", "web", "9")).toMatchObject({ code: 2, stderr: expect.stringContaining("error[runtime.unknown]") as string });
  expect(await user.run("migrate", "web", "--from", "1", "--to", "9", "--all")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("error[runtime.unknown]") as string,
  });
  expect(await good("scale", "web", "2..4")).toContain("2 to 4 runtimes");
  // Who does not wait is told where to look.
  const begun = await json(z.object({ begun: z.literal(true), status: z.string(), events: z.string() }), "scale", "web", "2..4", "--no-wait");
  expect(begun).toMatchObject({
    status: "/v1/tenants/default/deployments/web",
    events: expect.stringMatching(/^\/v1\/events\?about=default%2Fweb&after=\d+$/) as string,
  });
  expect(await good("runtimes", "web")).toMatch(/^runtime +state +flows/);
});

test("top on a pipe: samples, as text and as lines of JSON", async () => {
  expect(await good("top", "web", "--every", "0.1", "--count", "1")).toMatch(/^nfactor top {3}local .*\n.*\n\ndeployment +state/);
  const lines = (await good("top", "--every", "0.1", "--count", "2", "--json")).trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { deployments: { deployment: string }[] }).deployments[0]?.deployment)).toEqual([NAME, NAME]);
});

test("events and audit, the newest last", async () => {
  const { events: all } = JSON.parse(await good("events", NAME, "--limit", "1000", "--json")) as { events: unknown[] };
  const numbers = all.map((one) => views.eventView.parse(one).number);
  expect(numbers.length).toBeGreaterThanOrEqual(3);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  // Of the context's tenant, as for every other command.
  expect(JSON.parse(await good("events", "web", "--limit", "1000", "--json"))).toEqual({ events: all });
  expect(await good("audit", "--limit", "1")).toContain("/v1/tenants/default/deployments/web/scale");
});

test("tenants and tokens: a token may what its scope says", async () => {
  expect(await json(views.tenantView, "tenants", "set", "blue", "--runtimes", "5")).toMatchObject({ name: "blue", runtimes_max: 5 });
  await good("tokens", "make", "reader", "--scope", "read", "--of", "blue", "--days", "1", "--out", user.path("reader.token"));
  // A file that is there already is left alone, and no token is made that nobody would know.
  const before = await good("tokens", "--json");
  expect(await user.run("tokens", "make", "again", "--out", user.path("reader.token"))).toMatchObject({ code: 2 });
  expect(await good("tokens", "--json")).toBe(before);
  const reading = ["--token-file", user.path("reader.token")];
  expect(await good("status", "--tenant", "blue", ...reading)).toContain("no deployments");
  expect(await user.run("tenants", "set", "blue", ...reading)).toMatchObject({ code: 5, stderr: expect.stringContaining("error[rest.forbidden]") as string });
  const { tokens } = JSON.parse(await good("tokens", "--json")) as { tokens: { id: string; label: string }[] };
  await good("tokens", "remove", tokens.find(({ label }) => label === "reader")!.id, "--yes");
  expect(await user.run("tenants", ...reading)).toMatchObject({ code: 5, stderr: expect.stringContaining("error[rest.unauthorized]") as string });
  expect(await good("tenants", "remove", "blue")).toBe("tenant blue was removed\n");
});

test("hosts: list, token, cordon, drain; one with deployments is not removed", async () => {
  expect(await good("hosts")).toMatch(/\nh1 +connected /);
  expect(await good("hosts", "token", "h2")).toMatch(/^nfj1\./);
  expect(await good("hosts", "cordon", "h1")).toContain("is cordoned");
  expect(await good("hosts")).toMatch(/\nh1 +connected, cordoned /);
  expect(await good("hosts", "uncordon", "h1")).toContain("is used again");
  expect(await user.run("hosts", "remove", "h1", "--yes")).toMatchObject({ code: 6, stderr: expect.stringContaining("error[cluster.in_use]") as string });
});

test("trace and capture of a deployment", async () => {
  const lines = (await good("trace", "web", "-n", "2", "--seconds", "5", "--json")).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { packet: 1 },
    { packet: 2 },
    { totals: { packets: 2, matched: 2, missed: 0, lost_hops: 0, lost: 0 } },
  ]);
  expect(JSON.parse(await good("capture", "web", "--point", "client", "-n", "3", "-o", user.path("out.pcapng"), "--json"))).toMatchObject({ bytes: 3 });
});

test("doctor knows about the controller, the token and the hosts", async () => {
  // What this machine lacks is no matter of this test.
  const { stdout } = await user.run("doctor", "--json");
  const { requirements } = JSON.parse(stdout) as { requirements: { name: string; state: string }[] };
  for (const name of ["controller", "token is taken", "host h1", "deployments"])
    expect(requirements.find((one) => one.name === name)).toMatchObject({ state: "ok" });
});

test("completion knows the names that there are", async () => {
  expect((await good("completion", "--names", "deployment")).split("\n")).toEqual([NAME, "web", ""]);
  expect(await good("completion", "--names", "nf")).toContain("firewall@1.1.0");
});

test("undeploy asks, unless it is told not to", async () => {
  host.set(NAME, 1, { flows: 3 });
  expect(await user.run("undeploy", "web")).toMatchObject({ code: 2, stderr: expect.stringContaining(`${NAME} would end, and`) as string });
  expect(await good("undeploy", "web", "--dry-run")).toContain("Nothing was changed.");
  expect(await json(views.outcomeView, "undeploy", "web", "--yes")).toMatchObject({ deployment: NAME, done: true });
  expect(await user.run("status", "web")).toMatchObject({ code: 2, stderr: expect.stringContaining("error[store.not_found]") as string });
});

test("SIGTERM ends up well, and says what comes of what runs", async () => {
  up.kill("SIGTERM");
  const [code] = (await once(up, "close")) as [number];
  expect(code).toBe(0);
  expect(events.at(-1)).toMatchObject({ event: "ended" });
  expect(await user.run("status")).toMatchObject({ code: 4, stderr: expect.stringContaining("nothing listens at") as string });
});
