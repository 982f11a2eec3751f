import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { NFACTOR } from "../package.ts";

test("what stderr does not take, on a full disk, ends nothing", () => {
  const full = openSync("/dev/full", "w");
  try {
    const { stdout } = spawnSync(process.execPath, [NFACTOR, "flows", "--host", "no_such_host", "--json"], {
      stdio: ["ignore", "pipe", full],
      encoding: "utf8",
    });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "host.not_running" } });
  } finally {
    closeSync(full);
  }
});
