/** Whose a supervisor is, which names of runs do not say: they are the machine's; and what it has said at its end. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { finalPackets, requireOwn } from "./child.ts";
import { DeploymentFolder } from "./state_folder.ts";

const base = mkdtempSync(join(tmpdir(), "nfa-child-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test("a supervisor is this daemon's when it was started from this state folder, whatever way leads there", () => {
  for (const name of ["one", "two"]) mkdirSync(join(base, name));
  symlinkSync(join(base, "one"), join(base, "link"));
  const [one, two, link] = ["one", "two", "link"].map((name) => new DeploymentFolder(join(base, name))) as [
    DeploymentFolder,
    DeploymentFolder,
    DeploymentFolder,
  ];
  const started = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", "run", "--config", one.runFile], { stdio: "ignore" });
  try {
    for (const folder of [one, link]) expect(() => requireOwn(started.pid!, "blue.web", folder)).not.toThrow();
    expect(() => requireOwn(started.pid!, "blue.web", two)).toThrow(/'blue.web' runs already on this machine, and is not of this host daemon/);
    // One that somebody started by hand says of no state folder.
    expect(() => requireOwn(process.pid, "blue.web", one)).toThrow(/is not of this host daemon/);
  } finally {
    started.kill("SIGKILL");
  }
});

test("what became of packets is read also of what a newer supervisor has said", () => {
  mkdirSync(join(base, "newer"));
  const folder = new DeploymentFolder(join(base, "newer"));
  const packets = { received: 3, sent: 2, held: 0, dropped: { "fw.denied": 1 } };
  writeFileSync(folder.output, `${JSON.stringify({ packets: { ...packets, mirrored: 1 }, flows: [], faults: [], took_ms: 5 })}\n`);
  expect(finalPackets(folder)).toEqual(packets);
});
