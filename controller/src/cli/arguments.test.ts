/** Every command with a wrong command line: one paragraph, its exit code, and no request. The API of the context is one that nobody listens at. */
import type * as fs from "node:fs";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { allCommands } from "@nfactor/host/cli";
import { createClusterProgram } from "./program.ts";
import { User } from "./testing.ts";
import type { Captured } from "./testing_writes.ts";

const written = vi.hoisted((): Captured => ({ 1: "", 2: "" }));
vi.mock("node:fs", async (original) => {
  const { captured } = await import("./testing_writes.ts");
  return captured(await original<typeof fs>(), written);
});

let user: User;
beforeAll(() => {
  user = new User(written);
  user.knows("http://127.0.0.1:1", { token: "t", tenant: "blue" });
  writeFileSync(user.path("web.yaml"), "apiVersion: nfactor/v1\nports: { client: { iface: c0 }, server: { iface: s0 } }\nchain: [{ nf: firewall }]\n");
  writeFileSync(user.path("typo.yaml"), "apiVersion: nfactor/v1\nports: { client: { iface: c0 }, server: { iface: s0 } }\nchian: []\n");
});
afterAll(() => user.remove());

const USAGE = "error[usage]: ";

test.each([
  ["deploy", `${USAGE}missing required argument 'deployment'.`],
  ["deploy web", `${USAGE}what is to run?`],
  ["deploy web --chain firewall", `${USAGE}between which interfaces?`],
  ["deploy Web -f WEB", `${USAGE}'Web' is no name of a deployment.`],
  ["deploy blue/web/x -f WEB", `${USAGE}'blue/web/x' is no name of a deployment.`],
  ["deploy web -f nothing.yaml", "error[config.not_found]: nothing.yaml cannot be read"],
  ["deploy web -f TYPO", "typo.yaml:1:1: 'chain' is missing"],
  ["deploy web -f WEB --chain ,", `${USAGE}--chain: '' is no NF.`],
  ["deploy web -f WEB --nf-config fw=rules.yaml", `${USAGE}--nf-config: 'fw=rules.yaml' names no entry of the chain.`],
  ["deploy web -f WEB --grant firewall=all", `${USAGE}--grant all`],
  ["deploy web -f WEB --runtimes 8..2", `${USAGE}--runtimes: '8..2' is no number of runtimes.`],
  ["deploy web -f WEB --timeout soon", `${USAGE}--timeout: 'soon' is no number of seconds.`],
  ["undeploy", `${USAGE}missing required argument 'deployment'.`],
  ["rollback web --to last", `${USAGE}--to: 'last' is no revision.`],
  ["scale web", `${USAGE}missing required argument 'runtimes'.`],
  ["scale web 0", `${USAGE}scale: '0' is no number of runtimes.`],
  ["scale web 2-8", `${USAGE}scale: '2-8' is no number of runtimes.`],
  ["swap blue/web fw", `${USAGE}missing required argument 'nf'.`],
  ["swap blue/web fw firewall@1.0.0 more", `${USAGE}too many arguments for 'swap'.`],
  ["swap blue/web fw firewall@1.0.0 --host h", `${USAGE}--host is of a run on this machine, and blue/web is a deployment.`],
  ["flows blue/web what", `${USAGE}flows: 'what' is not understood.`],
  ["flows blue/web --limit many", `${USAGE}--limit: 'many' is not a number in its range.`],
  ["flow web", `${USAGE}missing required argument 'key'.`],
  ["flow web what", `${USAGE}flow: 'what' is not understood.`],
  ["migrate blue/web --from 1 --to 2", `${USAGE}which flows are to move?`],
  ["migrate blue/web --from 1 --to 1 --all", "error[runtime.same]: runtime 1 is source and target."],
  ["drain blue/web", `${USAGE}missing required argument 'runtime'.`],
  ["drain web one", `${USAGE}'one' is no number of a runtime.`],
  ["drain 1 --tenant blue", `${USAGE}--tenant goes with a deployment, and none is named.`],
  ["undrain blue/web x", `${USAGE}'x' is no number of a runtime.`],
  ["recover web x", `${USAGE}'x' is no number of a runtime.`],
  ["trace web -n 0", `${USAGE}-n: '0' is not a number in its range.`],
  ["trace web --match what", `${USAGE}`],
  ["capture web -o out.pcapng", `${USAGE}required option '--point <point>' not specified.`],
  ["push", `${USAGE}missing required argument 'folder|artifact'.`],
  ["push nothing.wasm", "error[nf.not_found]: there is nothing at 'nothing.wasm'."],
  ["versions a b", `${USAGE}too many arguments for 'versions'`],
  ["versions remove", `${USAGE}missing required argument 'nf@version'.`],
  ["events --limit x", `${USAGE}--limit: 'x' is not a number in its range.`],
  ["top --every 0", `${USAGE}--every: '0' is not a number in its range.`],
  ["top --count x", `${USAGE}--count: 'x' is not a number in its range.`],
  ["audit --limit 0", `${USAGE}--limit: '0' is not a number in its range.`],
  ["status a b", `${USAGE}too many arguments for 'status'`],
  ["status --context nope", "error[cli.context]: there is no context 'nope'."],
  ["status --api ftp://x", `${USAGE}'ftp://x' is no address of an API.`],
  ["status --token-file nope", `${USAGE}--token-file: nope cannot be read`],
  ["hosts drian h1", `${USAGE}hosts: 'drian' is no command of it.`],
  ["hosts drain", `${USAGE}missing required argument 'host'.`],
  ["hosts token", `${USAGE}missing required argument 'host'.`],
  ["tenants set", `${USAGE}missing required argument 'tenant'.`],
  ["tenants set blue --runtimes -1", `${USAGE}--runtimes: '-1' is not a number in its range.`],
  ["tokens make x --scope root", `${USAGE}option '--scope <scope>' argument 'root' is invalid. Allowed choices are read, deploy, operate, admin.`],
  ["tokens make x --days 0", `${USAGE}--days: '0' is not a number in its range.`],
  ["tokens remove ../x", `${USAGE}'../x' is no token's id.`],
  ["context use nope", `${USAGE}there is no context 'nope'.`],
  ["context set new", `${USAGE}context 'new' is new: where is its API?`],
  ["context set ../x --api http://a", `${USAGE}'../x' cannot be a context's name.`],
  ["completion", `${USAGE}for which shell?`],
  ["completion csh", `${USAGE}command-argument value 'csh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.`],
  ["up --listen here", `${USAGE}--listen: 'here' is no address with a port.`],
  ["up --rpc 7800", `${USAGE}--rpc: '7800' is no address with a port.`],
  ["up --api-cert x", `${USAGE}--api-cert and --api-key go together.`],
  ["up --agent 10.0.0.1:7700", `${USAGE}--agent-iface is missing`],
  ["status -o xml", `${USAGE}option '-o, --output <format>' argument 'xml' is invalid.`],
])("%s is refused", async (line, message) => {
  const args = line.split(" ").map((word) => ({ WEB: user.path("web.yaml"), TYPO: user.path("typo.yaml") })[word] ?? word);
  const { code, stdout, stderr } = await user.run(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(message);
  expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
});

test.each([
  ...[
    "status",
    "status web",
    "deploy web -f WEB",
    "undeploy web",
    "rollback web",
    "scale web 2..4",
    "swap web fw firewall@1.1.0",
    "flows web",
    "flows blue/web tcp",
  ],
  ...[
    "flow web :80",
    "migrate web --from 1 --to 2 --all",
    "drain web 3",
    "undrain --deployment web 3",
    "recover web 1",
    "runtimes web",
    "versions",
    "versions firewall",
  ],
  ...["events", "top --count 1", "audit", "hosts", "hosts drain h1", "tenants", "tenants set blue", "tokens", "trace web", "capture web --point client -o x"],
])("%s goes to the API, which nobody listens at", async (line) => {
  const { code, stdout, stderr } = await user.run(...line.split(" ").map((word) => (word === "WEB" ? user.path("web.yaml") : word)), "--json");
  expect(stderr).toContain("error[cli.unreachable]: nothing listens at http://127.0.0.1:1.\n  Start a controller with 'nfactor up'");
  expect(code).toBe(4);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "cli.unreachable" } });
});

test.each([
  "swap fw ./firewall",
  "flows",
  "flows tcp :443 10.0.0.0/8",
  "migrate --from 1 --to 2 --all",
  "drain 3",
  "undrain 3",
  "recover 1",
  "runtimes",
  "trace",
])("%s goes to a run on this machine, as ever", async (line) => {
  const { code, stderr } = await user.run(...line.split(" "));
  expect(stderr).toContain("error[host.not_running]: no running host was found.");
  expect(code).toBe(1);
});

test("without a default tenant a bare name is none of a deployment", async () => {
  user.knows("http://127.0.0.1:1");
  expect((await user.run("drain", "web", "3")).stderr).toContain("error[usage]: too many arguments for 'drain'");
  expect((await user.run("deploy", "web", "-f", user.path("web.yaml"))).stderr).toContain("error[usage]: 'web' is a deployment of which tenant?");
  user.knows("http://127.0.0.1:1", { tenant: "blue" });
});

test("errors as YAML", async () => {
  const { code, stdout } = await user.run("status", "-o", "yaml");
  expect(code).toBe(4);
  expect(stdout).toMatch(/^---\nerror:\n {2}code: cli\.unreachable\n/);
});

describe("help", () => {
  test.each(allCommands(createClusterProgram([])).map(({ name }) => name))("%s --help", async (name) => {
    const { code, stdout, stderr } = await user.run(...name.split(" "), "--help");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`Usage: nfactor ${name}`);
    expect(stdout).toContain("Examples:");
  });
});
