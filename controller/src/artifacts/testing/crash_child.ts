/**
 * The process that is killed: opens store and registry in the folder it is given, takes random steps, one after the other, and says `.` of each one when it is
 * done. It ends by itself after MOST_STEPS. Arguments: folder, seed.
 */
import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { decodeAdmission } from "@nfactor/sdk/admission";
import { NfError } from "@nfactor/sdk/errors";
import { openSqliteStore } from "../../store/index.ts";
import { Random } from "../../store/testing/steps.ts";
import { text } from "../../store/testing/stores.ts";
import { ArtifactRegistry } from "../index.ts";
import { chunked, sha256 } from "./artifacts.ts";

export const VERSIONS = ["1.0.0", "1.1.0", "1.2.0"];
export const BUILDS = [0, 1];
const MOST_STEPS = 3000;

export type CrashStep =
  | { readonly do: "upload"; readonly version: string; readonly build: number }
  | { readonly do: "deploy" | "delete"; readonly version: string }
  | { readonly do: "undeploy" | "collect" };

export function nextStep(random: Random): CrashStep {
  const kind = random.below(10);
  const version = random.of(VERSIONS);
  if (kind < 5) return { do: "upload", version, build: random.of(BUILDS) };
  if (kind < 6) return { do: "deploy", version };
  if (kind < 7) return { do: "undeploy" };
  return kind < 8 ? { do: "delete", version } : { do: "collect" };
}

/** What the parent has put there: the artifact, and the verdict of admission on it. */
export const fileOf = (folder: string, version: string, build: number): string => join(folder, `${version}.${build}`);

async function take(step: CrashStep): Promise<void> {
  switch (step.do) {
    case "upload": {
      const component = chunked(readFileSync(fileOf(folder, step.version, step.build)), 500);
      await registry.upload({ tenant: "blue", uploader: "ann", component, sourceMap: chunked(Buffer.from(`map ${step.build}`), 2) });
      return;
    }
    case "deploy": {
      const version = await registry.resolve("blue", `firewall@${step.version}`);
      const using = registry.using(version);
      const value = Buffer.from(version.object.artifact.digest);
      await store.txn({ if: using.if, then: [...using.then, { op: "put", key: "deployment", value }] });
      return;
    }
    case "undeploy":
      await store.txn({ then: [{ op: "delete", key: "deployment" }] });
      return;
    case "delete":
      return registry.delete("blue", `firewall@${step.version}`);
    case "collect":
      await registry.collect({ graceMs: 0, keep: 0 });
  }
}

const folder = process.argv[2] ?? "";
let store: ReturnType<typeof openSqliteStore>;
let registry: ArtifactRegistry;
if (process.argv[1] === import.meta.filename) {
  store = openSqliteStore(join(folder, "store.db"));
  const references = async () => {
    const { entry } = await store.get("deployment");
    return entry ? [{ digest: text(entry.value)!, by: "the deployment" }] : [];
  };
  const verdicts = new Map<string, string>();
  for (const version of VERSIONS)
    for (const build of BUILDS) {
      const path = fileOf(folder, version, build);
      verdicts.set(sha256(readFileSync(path)), readFileSync(`${path}.verdict`, "utf8"));
    }
  registry = await ArtifactRegistry.open({
    store,
    folder: join(folder, "blobs"),
    sources: [{ name: "the store", references }],
    admit: async (component) => decodeAdmission(verdicts.get(sha256(component))!).nf!,
  });
  writeSync(1, "open\n");
  const random = new Random(Number(process.argv[3]));
  for (let i = 0; i < MOST_STEPS; i++) {
    await take(nextStep(random)).catch((error: unknown) => {
      if (!(error instanceof NfError) || !error.code.startsWith("artifact.")) throw error;
    });
    writeSync(1, ".");
  }
}
