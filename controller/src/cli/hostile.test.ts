/**
 * Every command that shows what others have written, with texts that a terminal would obey in all of it: names, messages, versions, addresses. The API is real;
 * they are put into what it answers on the way.
 */
import type * as fs from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runtimeJsonOf } from "@nfactor/host/testing";
import { type RestLab, openRestLab } from "../rest/testing/rest_lab.ts";
import { User } from "./testing.ts";
import type { Captured } from "./testing_writes.ts";

const written = vi.hoisted((): Captured => ({ 1: "", 2: "" }));
vi.mock("node:fs", async (original) => {
  const { captured } = await import("./testing_writes.ts");
  return captured(await original<typeof fs>(), written);
});

/** Clears the screen, turns text around, and begins a line of its own. */
const EVIL = "\u001b[2J\u202e\u0007\r\nevil ";
/** Words of a list, which decide what is shown. */
const WORDS = new Set(["state", "action", "reason", "severity", "scope", "phase", "event", "code"]);

function poisoned(value: unknown, name = ""): unknown {
  if (typeof value === "string") return WORDS.has(name) ? value : EVIL + value;
  if (Array.isArray(value)) return value.map((each) => poisoned(each, name));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, poisoned(each, key)]));
}

let user: User;
let lab: RestLab;
let server: Server;

/** Asks the real API, and hands its answer on. */
async function relay(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  const { hostname, port } = new URL(lab.url);
  const upstream = request({ hostname, port, method: asked.method, path: asked.url, headers: { ...asked.headers, connection: "close" } });
  asked.pipe(upstream);
  const [response] = (await once(upstream, "response")) as [IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  const text = Buffer.concat(pieces).toString();
  const type = response.headers["content-type"] ?? "";
  const changed = (line: string): string => (line === "" ? "" : JSON.stringify(poisoned(JSON.parse(line))));
  answer.writeHead(response.statusCode!, { "content-type": type });
  answer.end(type.startsWith("application/json") ? changed(text) : text.split("\n").map(changed).join("\n"));
}

beforeAll(async () => {
  lab = await openRestLab();
  const runtimes = [
    runtimeJsonOf(0),
    runtimeJsonOf(1, { peer: "h2", agent: "10.0.0.2:7700", refused_frames: { forged: 1 } }),
    runtimeJsonOf(2, { state: "down" }),
  ];
  lab.cluster.reports = [{ deployment: "blue/web", report: { at_us: 1, runtimes } }];
  await lab.cluster.tell();
  await lab.send("PUT", "/v1/tenants/blue", { token: lab.token.admin, body: {} });
  server = createServer((asked, answer) => void relay(asked, answer).catch(() => answer.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  user = new User(written);
  user.knows(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { token: lab.token.admin, tenant: "blue" });
});
afterAll(async () => {
  user.remove();
  server.closeAllConnections();
  server.close();
  await lab.close();
});

test.each([
  ...["status", "status web", "status nosuch", "top --count 1 --every 0.1", "events", "audit", "versions", "versions firewall", "versions blue/web"],
  ...["flows web", "flow web :80", "runtimes web", "hosts", "tenants", "tokens", "completion --names deployment", "completion --names nf"],
  ...["migrate web --from 1 --to 2 --all", "drain web 1", "undrain web 1", "recover web 1 --yes", "swap web firewall firewall@1.0.0", "swap web x firewall"],
  ...[
    "scale web 2..3",
    "scale web 2..3 --no-wait",
    "scale web 2..3 --dry-run",
    "rollback web",
    "hosts cordon h1",
    "hosts drain h1",
    "hosts drain h1 --no-wait",
  ],
  ...["hosts token h2", "hosts remove nosuch --yes", "tenants set blue --runtimes 9", "tokens make ci", "versions remove firewall@9.9.9"],
])("nfactor %s", async (line) => {
  const { code, stdout, stderr } = await user.run(...line.split(" "));
  const shown = stdout + stderr;
  expect(shown).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(shown).not.toMatch(/^evil/m);
  expect(shown).not.toContain("error[internal]");
  expect(code).toBeLessThan(10);
  // It has been shown some of it, in a form that does no harm; but for what shows numbers alone.
  if (/^(status|top|events|audit|versions|hosts$|hosts token|tokens|tenants$|flows?|scale web 2..3$|rollback)/.test(line)) expect(shown).toContain("evil");
});

test("for machines everything is as it was, in JSON's own escapes", async () => {
  const { stdout } = await user.run("events", "--json");
  expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
  expect((JSON.parse(stdout) as { events: { text: string }[] }).events[0]!.text).toContain(EVIL);
});
