/** docs/quick_start.md as it stands: its blocks, one after the other, in one shell. What they print is what the page says. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ROOT } from "@nfactor/host";

const PAGE = readFileSync(join(ROOT, "docs/quick_start.md"), "utf8");
const blocks = [...PAGE.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text!);
const END = "== end of block ==";

test("the first half hour of an NF's author", async () => {
  const folder = mkdtempSync(join(tmpdir(), "nfactor-quick-"));
  mkdirSync(join(folder, "bin"));
  symlinkSync(join(ROOT, "bin/nfactor"), join(folder, "bin/nfactor"));
  const env = { ...process.env, PATH: `${join(folder, "bin")}:${process.env.PATH}`, HOME: folder, XDG_RUNTIME_DIR: folder, NO_COLOR: "1" };
  onTestFinished(() => {
    spawnSync("nfactor", ["host", "--end", "--yes", "--state", join(folder, "quick/state/host")], { env });
    for (const end of ["client", "server"]) spawnSync("ip", ["netns", "del", `nfq_${end}`]);
    rmSync(folder, { recursive: true, force: true });
  });
  const script = ["set -eu", "trap 'kill %1 2> /dev/null || true' EXIT", ...blocks.flatMap((block) => [block, `echo '${END}'`])].join("\n");
  const shell = spawn("bash", ["-c", script], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  shell.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  shell.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const code = await new Promise<number | null>((done) => shell.on("close", done));
  expect({ code, err }, out).toMatchObject({ code: 0 });

  const printed = out.split(END);
  const of = (number: number): string => printed[number - 1]!;
  expect(printed).toHaveLength(blocks.length + 1);
  expect(of(5)).toMatch(/ration@0\.1\.0[\s\S]*flow_monitor@/);
  expect(of(6)).toMatch(/15 packets transmitted, 10 received/);
  expect(of(6)).toMatch(/passed/);
  const { 1: answered } = /160 packets transmitted, (\d+) received/.exec(of(7)) ?? [];
  expect(Number(answered)).toBeGreaterThan(10);
  expect(of(8)).toMatch(/ration@0\.1\.0/);
  expect(of(9)).toMatch(/rollback/);
}, 120_000);
