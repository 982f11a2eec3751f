// Builds every NF that ships with NFActor (nf-wasm/*). Each is cached by content, so a second run only checks.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { buildNf } from "@nfactor/sdk/build";

const folder = new URL("../nf-wasm/", import.meta.url).pathname;
for (const name of readdirSync(folder).sort()) {
  if (!existsSync(join(folder, name, "nf.yaml"))) continue;
  const nf = await buildNf(join(folder, name));
  console.log(`${nf.name} ${nf.version}  ${String(nf.core.length)} bytes  sha256:${nf.digest.slice(0, 12)}`);
  for (const warning of nf.warnings) console.log(`  warning: ${JSON.stringify(warning)}`);
}
