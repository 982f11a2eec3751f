/** A whole chain made ready: each NF built or read, admitted, its rights and configuration checked, in the order of the plan. */
import type { EntryPlan } from "../config/plan.ts";
import { loadNf } from "./loaded_nf.ts";
import { type PreparedNf, admitAndPrepare } from "./prepare.ts";

/** Throws NfError at the first NF that cannot run. `note` gets the compiler's warnings. */
export async function prepareChain(entries: readonly EntryPlan[], note: (text: string) => void): Promise<PreparedNf[]> {
  const chain: PreparedNf[] = [];
  for (const plan of entries) {
    const loaded = await loadNf(plan.place);
    for (const warning of loaded.warnings) note(`warning: ${loaded.shown}: ${warning}`);
    chain.push(await admitAndPrepare(loaded, plan));
  }
  return chain;
}
