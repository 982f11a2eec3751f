#!/usr/bin/env node
// Brings a fresh clone to where it can run: system packages, npm packages, compiled TypeScript, the engine, the native build, the shipped NFs.
// `node scripts/bootstrap.mjs [--for build|demo|test]`. Idempotent: each step looks first whether it has anything to do.
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { compile, isCompiled } from "./lib/compile.mjs";
import { CARGO_PACKAGES, DEBIAN_PACKAGES, NODE_WANTED, atLeast, findCargo, findCommand, isInstalled, isRoot } from "./lib/requirements.mjs";
import { buildSqlite, sqliteIsBuilt } from "./lib/sqlite.mjs";
import { BUILD, ROOT, StepError, hashOf, main, must, run, runSteps, setStamp, stampIs } from "./lib/steps.mjs";

const WANTED_FOR = { build: ["build"], demo: ["build", "live"], test: ["build", "live", "test"] };

/** Installs Debian packages as root; else says which command would. */
async function installPackages(names, show) {
  if (names.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${names.join(" ")}`;
  if (!isRoot() || !findCommand("apt-get")) {
    throw new StepError(`missing: ${names.join(", ")}.\n  Run this once, then try again:\n    sudo sh -c 'apt-get update && ${command}'`);
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await must("apt-get", ["update"], { env, onLine: show });
  await must("apt-get", ["install", "-y", "--no-install-recommends", ...names], { env, onLine: show });
}

const cargoIsGood = () => findCargo() !== undefined;

async function npmPackages(show) {
  const args = ["ci", "--no-progress"];
  const { code, output } = await run("npm", args, { onLine: show });
  if (code !== 0) throw new StepError(`npm ci failed:\n${output.split("\n").slice(-20).join("\n")}`);
  setStamp("npm", hashOf(["package-lock.json"]));
}

/** Where the engine's library and headers are; builds them when the cache has none. The script prints the folder as its last line. */
export async function engineDir(show = () => {}) {
  const cargo = findCargo();
  const env = cargo ? { PATH: `${dirname(cargo)}${delimiter}${process.env.PATH}` } : {};
  const output = await must("bash", ["dataplane-native/engine/build.sh"], { onLine: show, env });
  return output.trimEnd().split("\n").pop().trim();
}

/** Configures (when needed) and builds a native tree. `kind` is "release" or a sanitizer list for NF_SANITIZE. */
export async function buildNative({ kind = "release", targets = [], show = () => {} }) {
  const dir = join(BUILD, kind === "release" ? "native" : `native-${kind.replaceAll(",", "-")}`);
  const engine = await engineDir(show);
  const configured = `${engine}\n${kind}`;
  const stamp = `cmake-${kind.replaceAll(",", "-")}`;
  if (!existsSync(join(dir, "build.ninja")) || !stampIs(stamp, configured)) {
    mkdirSync(dir, { recursive: true });
    const sanitize = kind === "release" ? [] : [`-DNF_SANITIZE=${kind}`];
    await must("cmake", ["-S", "dataplane-native", "-B", dir, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", `-DNFENGINE_DIR=${engine}`, ...sanitize], {
      onLine: show,
    });
    setStamp(stamp, configured);
  }
  await must("ninja", ["-C", dir, ...targets], { onLine: show });
  return dir;
}

export function bootstrapSteps(purpose) {
  const packages = () => DEBIAN_PACKAGES.filter((p) => WANTED_FOR[purpose].includes(p.for) && !isInstalled(p)).map((p) => p.name);
  return [
    {
      title: "system packages",
      done: () => packages().length === 0 && cargoIsGood(),
      run: (show) => installPackages([...packages(), ...(cargoIsGood() ? [] : CARGO_PACKAGES)], show),
    },
    {
      title: "npm packages",
      done: () => existsSync(join(ROOT, "node_modules/.package-lock.json")) && stampIs("npm", hashOf(["package-lock.json"])),
      run: npmPackages,
    },
    { title: "TypeScript", done: () => isCompiled(), run: () => compile() },
    {
      // Together: what remains of the one at its end keeps one core busy only.
      title: "engine and SQLite (Wasmtime; about 5 minutes when they are not cached)",
      run: async (show) => {
        await Promise.all([engineDir(show), sqliteIsBuilt() ? undefined : buildSqlite(show)]);
      },
    },
    { title: "native dataplane", run: (show) => buildNative({ targets: ["nfactor_addon", "nfactord"], show }) },
    { title: "network functions", run: (show) => must("node", ["--import", "./sdk/register.mjs", "scripts/build_nfs.ts"], { onLine: show }) },
  ];
}

export function checkNode() {
  const version = process.versions.node.split(".").map(Number);
  if (!atLeast(version, NODE_WANTED))
    throw new StepError(`Node ${process.versions.node} is too old: at least ${NODE_WANTED.join(".")} is needed. Install a newer Node, then try again.`);
  process.env.PATH = [process.env.PATH, "/usr/sbin", "/sbin", join(homedir(), ".cargo/bin")].join(delimiter);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(async () => {
    checkNode();
    const at = process.argv.indexOf("--for");
    const purpose = at < 0 ? "build" : process.argv[at + 1];
    if (!(purpose in WANTED_FOR)) throw new StepError(`--for ${purpose}: allowed are ${Object.keys(WANTED_FOR).join(", ")}.`);
    await runSteps(bootstrapSteps(purpose));
  });
}
