/** A store that breaks while the controller runs: it says so and ends, so that whoever watches over it starts it again. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { freshFolder } from "../store/testing/folder.ts";

const NFACTOR = resolve(import.meta.dirname, "../../../bin/nfactor");

test("'nfactor up' ends when its store can be written no more, with what it says of it", { timeout: 60_000 }, async () => {
  const state = freshFolder();
  const args = ["up", "--no-host", "--no-context", "--json", "--state", state, "--listen", "127.0.0.1:0"];
  const up = spawn(process.execPath, [NFACTOR, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  try {
    let errors = "";
    up.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    const ended = once(up, "close") as Promise<[number]>;
    let api = "";
    for await (const line of createInterface(up.stdout)) {
      const told = JSON.parse(line) as { readonly event: string; readonly api?: string };
      api = told.api ?? api;
      if (told.event === "ready") break;
    }
    // From here on no file of it may be as long as its store is.
    execFileSync("prlimit", ["--pid", String(up.pid), "--fsize=4096"]);
    const authorization = `Bearer ${readFileSync(join(state, "admin.token"), "utf8").trim()}`;
    const answer = await fetch(`${api}/v1/tenants/red`, { method: "PUT", headers: { authorization } });
    expect([answer.status, await answer.json()]).toMatchObject([500, { error: { code: "store.io" } }]);
    const [code] = await ended;
    expect([code, errors]).toEqual([1, expect.stringContaining("store.io")]);
  } finally {
    up.kill("SIGKILL");
  }
});
