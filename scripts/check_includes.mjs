#!/usr/bin/env node
// Part of `npm run lint`: the folders of dataplane-native/src depend on each other in one direction only, and each foreign library has the one
// folder that knows it. Prints each breach as file:line; exit code 1 when there is one.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../dataplane-native/src/", import.meta.url));

/** What a folder may include besides itself. */
const BELOW = {
  base: [],
  dpdk: [],
  packet: ["base"],
  proto: ["base", "packet"],
  sim: ["base", "packet", "flow", "proto"],
  trace: ["base", "packet"],
  port: ["base", "packet"],
  wasm: ["base"],
  flow: ["base", "packet"],
  chain: ["base", "packet", "trace", "port", "wasm", "flow"],
  runtime: ["base", "packet", "trace", "port", "wasm", "flow", "chain", "proto"],
  link: ["base", "packet", "trace", "port", "wasm", "flow", "chain", "runtime", "proto"],
  nfactord: ["base", "packet", "trace", "port", "wasm", "flow", "chain", "runtime", "link", "proto"],
  addon: ["base", "packet", "trace", "port", "wasm", "flow", "chain", "runtime"],
};

/** Headers of others, and who may include them. */
const FOREIGN = [
  { name: "Wasmtime", header: /^(wasmtime|wasm)(\.h$|\/)/, allowed: ["wasm"] },
  { name: "Node-API", header: /^(napi|node_api|js_native_api)/, allowed: ["addon"] },
  { name: "DPDK", header: /^rte_/, allowed: ["packet", "trace", "port", "flow", "chain", "runtime", "link", "nfactord"] },
  { name: "OpenSSL", header: /^openssl\//, allowed: ["link"] },
  { name: "libseccomp", header: /^seccomp\.h$/, allowed: ["nfactord"] },
];

function breach(folder, file, included, quoted) {
  const [first, ...rest] = included.split("/");
  if (quoted && rest.length > 0) {
    if (!(first in BELOW)) return `no folder of src is called ${first}`;
    if (rest[0].startsWith("test_") && !/(_test\.cc|\/test_\w+\.(cc|h))$/.test(file)) return `${included} is for tests only`;
    if (first !== folder && !BELOW[folder].includes(first))
      return `${folder} must not know ${first}; it may include: ${BELOW[folder].join(", ") || "nothing else"}`;
    return undefined;
  }
  const foreign = FOREIGN.find(({ header }) => header.test(included));
  if (foreign && !foreign.allowed.includes(folder)) return `${foreign.name} is known to ${foreign.allowed.join(", ")} only`;
  return undefined;
}

let found = 0;
for (const folder of readdirSync(SRC)) {
  if (!(folder in BELOW)) {
    console.error(`dataplane-native/src/${folder}: a folder that scripts/check_includes.mjs does not know; say what it may include`);
    found += 1;
    continue;
  }
  for (const name of readdirSync(join(SRC, folder), { recursive: true })) {
    if (!/\.(cc|h)$/.test(name)) continue;
    const file = join(folder, name);
    readFileSync(join(SRC, file), "utf8")
      .split("\n")
      .forEach((line, at) => {
        const match = /^\s*#\s*include\s+([<"])([^>"]+)[>"]/.exec(line);
        const what = match && breach(folder, file, match[2], match[1] === '"');
        if (!what) return;
        console.error(`dataplane-native/src/${file}:${at + 1}: ${what}`);
        found += 1;
      });
  }
}
if (found > 0) process.exitCode = 1;
