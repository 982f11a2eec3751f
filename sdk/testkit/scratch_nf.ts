/** Small NFs for this repository's own tests: written to a temporary folder from a manifest's differences and a source. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";

const folders: string[] = [];

/** The folder of an NF with this source; `removeScratchNfs` takes it away. */
export function scratchNf(source: string, manifest: object = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "nfactor-nf-"));
  folders.push(folder);
  mkdirSync(join(folder, "assembly"));
  writeFileSync(join(folder, "nf.yaml"), stringify({ apiVersion: "nfactor/v1", name: "scratch", version: "1.0.0", ...manifest }));
  writeFileSync(join(folder, "assembly/index.ts"), source);
  return folder;
}

export function removeScratchNfs(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
