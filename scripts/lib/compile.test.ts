/** The compiled command and the one that runs as TypeScript are one and the same, and which of them runs depends on what the sources are now. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NFACTOR, ROOT } from "../../host/src/package.ts";

interface List {
  entries: Record<string, string>;
  inputs: [path: string, size: number, mtimeMs: number][];
}

const MAIN = "host/src/cli/main.ts";
/** Two folders below the root, as the one of the product. */
const compiled = join(ROOT, `build/js-test-${process.pid}`);
const list = join(compiled, "list.json");
let written: string;
let outside: string;

beforeAll(() => {
  outside = mkdtempSync(join(tmpdir(), "nfa-compile-"));
  const { status, stderr } = node({ env: compiled }, join(ROOT, "scripts/lib/compile.mjs"));
  expect(stderr).toBe("");
  expect(status).toBe(0);
  written = readFileSync(list, "utf8");
});
afterAll(() => {
  rmSync(outside, { recursive: true, force: true });
  rmSync(compiled, { recursive: true, force: true });
});

/** With what was compiled into `env`. */
function node({ env, cwd = outside }: { env: string; cwd?: string }, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: outside, XDG_RUNTIME_DIR: outside, NO_COLOR: "1", NFACTOR_COMPILED: env },
  });
  return { status, stdout, stderr };
}

function bothWays(...args: string[]) {
  return [compiled, join(outside, "nothing")].map((env, i) => {
    const cwd = join(outside, `${i}`);
    mkdirSync(cwd, { recursive: true });
    return { ...node({ env, cwd }, NFACTOR, ...args), files: filesIn(cwd) };
  });
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .map((path) => (statSync(join(folder, path)).isFile() ? `${path}\n${readFileSync(join(folder, path), "utf8")}` : path));

test.each([
  ["a number", ["--version"], 0],
  ["all there is", ["completion", "bash"], 0],
  ["a mistake", ["statsu"], 2],
  ["an error for programs", ["flows", "--json"], 1],
  ["files that name others of the package", ["init", "counter"], 0],
])("both ways print %s", (_, args, code) => {
  const [one, other] = bothWays(...args);
  expect(one).toEqual(other);
  expect(one!.status).toBe(code);
});

test.each<[string, boolean, (list: List) => unknown]>([
  ["nothing has changed", true, (same) => same],
  [
    "a source is of another time",
    false,
    (same) => ({ ...same, inputs: same.inputs.map(([path, size, mtimeMs], i) => [path, size, i === 7 ? mtimeMs + 1 : mtimeMs]) }),
  ],
  ["a source is longer", false, (same) => ({ ...same, inputs: same.inputs.map(([path, size, mtimeMs], i) => [path, i === 7 ? size - 1 : size, mtimeMs]) })],
  ["a source is gone", false, ({ inputs, ...same }) => ({ ...same, inputs: [...inputs, ["host/src/gone.ts", 1, 1]] })],
  ["the list was cut off", false, () => undefined],
])("when %s, the compiled one runs: %s", (_, isCompiled, changed) => {
  const { entries } = JSON.parse(written) as List;
  const main = join(compiled, entries[MAIN]!);
  const code = readFileSync(main, "utf8");
  writeFileSync(main, `process.stderr.write("compiled");${code}`);
  writeFileSync(list, JSON.stringify(changed(JSON.parse(written) as List)) ?? written.slice(0, -20));
  try {
    const { status, stdout, stderr } = node({ env: compiled }, NFACTOR, "--version");
    expect({ status, stderr }).toEqual({ status: 0, stderr: isCompiled ? "compiled" : "" });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  } finally {
    writeFileSync(main, code);
    writeFileSync(list, written);
  }
});

test("the list has the sources of all that a command loads", () => {
  const paths = (JSON.parse(written) as List).inputs.map(([path]) => path);
  for (const path of [MAIN, "sdk/admission/check.ts", "controller/src/rest/app.ts", "host/package.json", "scripts/lib/compile.mjs"])
    expect(paths).toContain(path);
  for (const path of paths) expect(statSync(join(ROOT, path)).isFile()).toBe(true);
});

test("a stack names the TypeScript", () => {
  const { entries } = JSON.parse(written) as List;
  const script = `process.setSourceMapsEnabled(true);
    const { usageError } = await import(${JSON.stringify(join(compiled, entries[MAIN]!))});
    try { usageError(undefined) } catch (error) { console.log(error.stack) }`;
  const { stdout } = node({ env: compiled }, "--input-type=module", "-e", script);
  const line = readFileSync(join(ROOT, MAIN), "utf8")
    .split("\n")
    .findIndex((one) => one.includes("const message = error.message"));
  expect(stdout).toContain(`${MAIN}:${line + 1}:`);
});
