/** `nfactor host` as it is typed: what cannot be is said at once, and leaves nothing behind. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { afterAll, expect, test } from "vitest";
import { Cli } from "./testing.ts";

const cli = new Cli();
afterAll(() => cli.remove());

const STATE = ["--state", "state"];

test("a command line that cannot be", async () => {
  const wrong: [string[], string][] = [
    [[], "--controller is missing"],
    [["--controller", "nowhere"], "'nowhere' is neither a path nor an address with a port"],
    [["--controller", "127.0.0.1:7800"], "this host has not joined a controller yet"],
    [["--controller", "./c.sock", "--room", "many"], "--room: 'many' is not a number"],
    [["--controller", "./c.sock", "--agent", "10.0.0.1:7700"], "--agent-iface is missing"],
    [["--controller", "./c.sock", "--dry-run"], "--dry-run has no meaning without --end"],
  ];
  const all = await Promise.all(wrong.map(async ([args, text]) => ({ text, ...(await cli.run("host", ...STATE, ...args)) })));
  for (const { text, code, stdout, stderr } of all) {
    expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(text);
  }
});

test("without a controller it waits for one; with --json each event is a line; it has its folder for itself, and leaves when it is told", async () => {
  const child = cli.spawn(["host", ...STATE, "--controller", "./c.sock", "--name", "h1", "--json"]);
  let said = "";
  const lost = new Promise<void>((done) =>
    child.stdout!.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('"lost"') && said.includes("Ctrl-C")) done();
    }),
  );
  await lost;
  expect(statSync(cli.path("state")).mode & 0o777).toBe(0o700);
  const other = await cli.run("host", ...STATE, "--end", "--yes");
  expect(other).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`another host daemon (pid ${child.pid}) has the state folder ${cli.path("state")}`) as string,
  });
  // A controller that comes later is found.
  const server = createServer((socket) => socket.on("error", () => undefined));
  const connected = once(server, "connection");
  server.listen(cli.path("c.sock"));
  await connected;
  server.close();
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  const lines = said
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; text: string });
  expect(lines.at(-1)).toMatchObject({ event: "state", text: "the daemon has ended" });
  expect(existsSync(cli.path("state/lock"))).toBe(false);
  const nothing = await cli.run("host", ...STATE, "--end", "--json");
  expect(JSON.parse(nothing.stdout)).toEqual({ dry_run: false, deployments: [] });
});

test("the key of its agent is made once, and is this user's alone", async () => {
  const { agentKey } = await import("../daemon/host_facts.ts");
  const key = agentKey(cli.path("agent.key"));
  expect(key).toHaveLength(32);
  expect(agentKey(cli.path("agent.key"))).toEqual(key);
  expect(statSync(cli.path("agent.key")).mode & 0o777).toBe(0o600);
  expect(readFileSync(cli.path("agent.key"), "utf8").trim()).toBe(key.toString("hex"));
});
