/** Whether a deployment could run on this host, found out before anything is changed: interfaces, admission, rights, configurations. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NfError } from "@nfactor/sdk/errors";
import { makePlan } from "../config/plan.ts";
import { prepareChain } from "../nf/chain.ts";
import { checkPorts } from "../run/ports.ts";
import type { DeploymentSpec } from "./deployment_spec.ts";
import { runFileOf } from "./run_file.ts";

/** Its artifacts are here. Rejects with NfError, as `nfactor run` would. */
export async function checkSpec(folder: string, run: string, spec: DeploymentSpec, pathOf: (digest: string) => string): Promise<void> {
  const file = join(folder, `${run}.check.yaml`);
  try {
    writeFileSync(file, runFileOf(spec, pathOf), { mode: 0o600 });
    const { settings, entries } = makePlan({ config: file });
    const port = (side: "client" | "server") => ({ iface: settings.ports![side].iface, where: undefined });
    checkPorts(port("client"), port("server"));
    await prepareChain(entries, () => undefined);
  } catch (error) {
    if (!(error instanceof NfError)) throw error;
    // The place is one in a file that nobody else has.
    const { code, message, given, allowed, fix } = error;
    throw new NfError(code, message, { cause: error, given, allowed, fix });
  } finally {
    rmSync(file, { force: true });
  }
}
