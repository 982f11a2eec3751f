/** Runs on a disk of a few pages: pushes what does not fit, and what does. Says in JSON what came of each. Argument: the disk's folder, the artifact's file. */
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { openMemoryStore } from "../../store/index.ts";
import { ArtifactRegistry } from "../index.ts";
import { admitHere, chunked } from "./artifacts.ts";

const [folder, file] = process.argv.slice(2) as [string, string];
const blobs = join(folder, "blobs");
const registry = await ArtifactRegistry.open({ store: openMemoryStore(), folder: blobs, sources: [], admit: admitHere });
const push = async (mapBytes: number): Promise<string> => {
  const sourceMap = chunked(new Uint8Array(mapBytes));
  try {
    return `created: ${(await registry.upload({ tenant: "blue", uploader: "ann", component: chunked(readFileSync(file)), sourceMap })).created}`;
  } catch (error) {
    if (!(error instanceof NfError)) throw error;
    return error.format();
  }
};
const files = () => readdirSync(blobs, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
const full = { said: await push(200_000), files: files(), bytes: registry.bytes };
const fits = { said: await push(1000), files: files(), bytes: registry.bytes };
// A blob of which nothing is on disk but its name would be the worst of all.
const sizes = readdirSync(blobs, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => statSync(join(parentPath, name)).size);
writeFileSync(1, JSON.stringify({ full, fits, sizes }));
