/** A process that lives and whose control connection has closed is spoken to over another one; one that has died is not. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type Server, type Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MemberProcess } from "./member_process.ts";
import { startOf } from "./process_id.ts";
import { RunFolder } from "./run_folder.ts";

const life = { member: 1, incarnation: 3 };
let base: string;
let server: Server;
let process_: ReturnType<typeof spawn>;
beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "nfa-member-"));
  process_ = spawn("sleep", ["100"]);
  await once(process_, "spawn");
});
afterEach(() => {
  process_.kill("SIGKILL");
  server.close();
  rmSync(base, { recursive: true, force: true });
});

test("a member that has cut us off, and lives, is connected to again, until it ends", async () => {
  const folder = RunFolder.hold("x", { XDG_RUNTIME_DIR: base });
  const connections: Socket[] = [];
  server = createServer((socket) => {
    connections.push(socket);
    socket.write(`${JSON.stringify({ event: "ready", ...life })}\n`);
  });
  server.listen(folder.controlOf(life));
  await once(server, "listening");
  let [ready, exited] = [0, (): void => undefined];
  const hasExited = new Promise<void>((done) => (exited = done));
  const pid = process_.pid!;
  const member = await MemberProcess.adopt({ folder, life, onEvent: () => (ready += 1), onExit: () => exited() }, { pid, start: startOf(pid)! });
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise((done) => setTimeout(done, 5));
  };
  await until(() => ready === 1);
  connections[0]!.destroy();
  await until(() => ready === 2);
  expect(member.client.isOpen).toBe(true);
  expect(startOf(pid)).toBeDefined();
  process_.kill("SIGKILL");
  connections[1]!.destroy();
  await hasExited;
  expect(connections).toHaveLength(2);
});
