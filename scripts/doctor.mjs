#!/usr/bin/env node
// `npm run doctor`, `nfactor doctor`: each requirement, what was found, what is wanted, and the command that mends it.
// Exit code 1 when something needed is missing. Plain Node, so that it also runs before anything is installed. `--json` prints one object.
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { availableParallelism, freemem, release, totalmem } from "node:os";
import { join } from "node:path";
import { isCompiled } from "./lib/compile.mjs";
import {
  CARGO_PACKAGES,
  CARGO_WANTED,
  DEBIAN_PACKAGES,
  NODE_WANTED,
  atLeast,
  findCargo,
  hugepages,
  isInstalled,
  isRoot,
  nodeHeaders,
  versionOf,
} from "./lib/requirements.mjs";
import { sqliteIsBuilt } from "./lib/sqlite.mjs";
import { BUILD, ROOT, hashOf, stampIs } from "./lib/steps.mjs";

const text = (version) => (version ? version.join(".") : "none");
const rows = [];
/** state: ok, missing (needed), advice (works without). */
const add = (name, state, found, wanted, fix = "") => rows.push({ name, state, found, wanted, fix });

function toolchain() {
  const node = process.versions.node.split(".").map(Number);
  add("Node", atLeast(node, NODE_WANTED) ? "ok" : "missing", text(node), `>= ${text(NODE_WANTED)}`, "install a newer Node");
  const cargo = findCargo();
  const version = versionOf(cargo ?? "cargo");
  add("cargo", cargo ? "ok" : "missing", text(version), `>= ${text(CARGO_WANTED)} (builds Wasmtime)`, `apt-get install ${CARGO_PACKAGES.join(" ")}`);
  for (const pkg of DEBIAN_PACKAGES) {
    const there = isInstalled(pkg);
    add(
      `${pkg.name} (${pkg.for})`,
      there ? "ok" : pkg.for === "build" ? "missing" : "advice",
      there ? "installed" : "not installed",
      "installed",
      `apt-get install ${pkg.name}`,
    );
  }
}

function built() {
  const npm = stampIs("npm", hashOf(["package-lock.json"]));
  add("npm packages", npm ? "ok" : "missing", npm ? "as locked" : "not as locked", "as in package-lock.json", "npm run build");
  const compiled = isCompiled();
  add("compiled TypeScript", compiled ? "ok" : "advice", compiled ? "of these sources" : "none of these sources", "there (starts sooner)", "npm run build");
  const headers = nodeHeaders();
  add(
    "Node's headers",
    headers ? "ok" : "missing",
    headers ? `${headers}/include/node` : "not found",
    "of this Node (builds SQLite)",
    "apt-get install libnode-dev",
  );
  const sqlite = sqliteIsBuilt();
  add("SQLite", sqlite ? "ok" : "missing", sqlite ? "built" : "not built", "built for this Node", "npm run build");
  const addon = existsSync(join(BUILD, "native/nfactor_addon.node"));
  add("native dataplane", addon ? "ok" : "missing", addon ? "built" : "not built", "built", "npm run build");
}

function wasmtime() {
  const lock = readFileSync(join(ROOT, "dataplane-native/engine/Cargo.lock"), "utf8");
  const version = /name = "wasmtime-c-api-impl"\nversion = "([^"]+)"/.exec(lock)?.[1] ?? "0.0.0";
  const numbers = version.split(".").map(Number);
  const { checked, wasmtime: known } = JSON.parse(readFileSync(join(ROOT, "scripts/advisories.json"), "utf8"));
  const hit = known.filter((a) => !atLeast(numbers, a.fixed.split(".").map(Number)) && atLeast(numbers, (a.introduced ?? "0.0.0").split(".").map(Number)));
  const found =
    hit.length === 0
      ? `${version}, none of ${known.length} known advisories (list of ${checked})`
      : `${version}: ${hit.map((a) => `${a.id} (${a.what})`).join("; ")}`;
  add("Wasmtime", hit.length === 0 ? "ok" : "missing", found, "no known advisory", "raise the version in dataplane-native/engine/Cargo.toml");
}

function machine() {
  add("processors", availableParallelism() >= 2 ? "ok" : "advice", String(availableParallelism()), ">= 2: one for the lcore, one for control", "");
  const gib = (bytes) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  add("memory", freemem() > 2 ** 30 ? "ok" : "advice", `${gib(freemem())} free of ${gib(totalmem())}`, ">= 1 GiB free");
  const cpu = existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "";
  const needed = ["sse4_2", "avx2", "bmi2", "pclmulqdq"];
  const lacking = needed.filter((flag) => !cpu.includes(` ${flag}`));
  add(
    "instruction set",
    lacking.length === 0 ? "ok" : "missing",
    lacking.length === 0 ? needed.join(", ") : `without ${lacking.join(", ")}`,
    "x86-64-v3, PCLMULQDQ",
    "",
  );
  const pages = hugepages();
  const free = pages.reduce((sum, p) => sum + (p.free * p.kib) / 1024, 0);
  const found =
    pages.map((p) => `${p.free} of ${p.total} free at ${p.kib >= 1 << 20 ? `${p.kib >> 20} GiB` : `${p.kib >> 10} MiB`}`).join(", ") || "not supported";
  add(
    "hugepages",
    free >= 512 ? "ok" : "advice",
    found,
    "512 MiB free: about a third faster with many flows; ordinary memory works too",
    "sysctl -w vm.nr_hugepages=512",
  );
}

function live() {
  add("root", isRoot() ? "ok" : "advice", isRoot() ? "yes" : "no", "for live interfaces and network namespaces (CAP_NET_RAW, CAP_NET_ADMIN)", "run with sudo");
  add("kernel", "ok", release(), "AF_PACKET, network namespaces");
  let tun = true;
  try {
    accessSync("/proc/self/ns/net", constants.R_OK);
  } catch {
    tun = false;
  }
  add("network namespaces", tun ? "ok" : "advice", tun ? "available" : "not available", "for the demo and the end-to-end tests");
}

toolchain();
wasmtime();
built();
machine();
live();
const missing = rows.filter((r) => r.state === "missing");
if (process.argv.includes("--json")) {
  console.log(JSON.stringify({ ok: missing.length === 0, requirements: rows }));
} else {
  const mark = { ok: "ok     ", missing: "MISSING", advice: "advice " };
  const width = Math.max(...rows.map((r) => r.name.length));
  for (const r of rows) {
    console.log(
      `${mark[r.state]}  ${r.name.padEnd(width)}  ${r.found}${r.state === "ok" ? "" : `\n${" ".repeat(9)}${" ".repeat(width)}  wanted: ${r.wanted}${r.fix ? `; fix: ${r.fix}` : ""}`}`,
    );
  }
  console.log(missing.length === 0 ? "\nEverything needed is there." : `\n${missing.length} needed and missing; as root 'npm run build' installs what it can.`);
}
process.exitCode = missing.length === 0 ? 0 : 1;
