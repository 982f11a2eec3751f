/** The scripts as shells take them; what bash answers to TAB is asked of bash. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allCommands } from "@nfactor/host/cli";
import { SHELLS, completionScript } from "./completion.ts";
import { createClusterProgram } from "./program.ts";

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "nfa-completion-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = createClusterProgram([]);

test.each(SHELLS)("a script that %s takes", (shell) => {
  const script = completionScript(shell, program);
  const path = join(folder, `${shell}.sh`);
  writeFileSync(path, script);
  if (spawnSync(shell, ["-c", "true"]).status === 0) execFileSync(shell, ["-n", path]);
  for (const { name } of allCommands(program)) expect(script).toContain(name.split(" ").at(-1));
});

/** What bash would offer; `nfactor` itself is a function that knows two deployments and a host. */
function offered(...words: string[]): string[] {
  const path = join(folder, "loaded.sh");
  writeFileSync(path, completionScript("bash", program));
  const names = 'nfactor() { case "$3" in deployment) printf "%s\\n" blue/web blue/mail web ;; host) echo h1 ;; esac; }';
  const line = words.map((word) => `'${word}'`).join(" ");
  const script = `${names}; source '${path}'; COMP_WORDS=(nfactor ${line}); COMP_CWORD=${words.length}; _nfactor; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", script], { encoding: "utf8" })
    .split("\n")
    .filter((one) => one !== "");
}

test.each([
  [["unde"], ["undeploy"]],
  [
    ["deploy", "blue/"],
    ["blue/mail", "blue/web"],
  ],
  [["deploy", "--dr"], ["--dry-run"]],
  [["swap", "we"], ["web"]],
  [["hosts", "dr"], ["drain"]],
  [["hosts", "drain", ""], ["h1"]],
  [["status", "-o", "j"], ["json"]],
  [["completion", "z"], ["zsh"]],
  [["deploy", "web", "-f", join("/etc", "host")], ["/etc/host"]],
])("bash offers for %j", (words, wanted) => {
  const found = offered(...words).sort();
  if (words.includes("-f")) expect(found.some((one) => one.startsWith(wanted[0]!))).toBe(true);
  else expect(found).toEqual(wanted);
});

test("when nobody answers, nothing is offered and nothing is said", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "../../../bin/nfactor"), "completion", "--names", "deployment"], {
    env: { ...process.env, XDG_CONFIG_HOME: folder, NODE_OPTIONS: "" },
    encoding: "utf8",
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
});
