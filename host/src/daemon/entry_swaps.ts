/** Several entries of a chain to other versions: all of them, or, when one is refused, none. */
import type { NfError } from "@nfactor/sdk/errors";
import { isUnanswered } from "./control_calls.ts";
import type { DeployedEntry, DeploymentSpec } from "./deployment_spec.ts";
import { withEntries } from "./spec_difference.ts";

export interface Swapped {
  readonly runs: DeploymentSpec;
  /** Why it does not run as it was to. */
  readonly refused?: NfError;
}

/** `maybe`: entries that may have been changed before. Rejects when one got no answer: then what runs is not known. */
export async function swapEntries(
  swapOne: (entry: DeployedEntry) => Promise<unknown>,
  from: DeploymentSpec,
  to: DeploymentSpec,
  entries: readonly number[],
  maybe: readonly number[] = [],
): Promise<Swapped> {
  const done: number[] = [];
  for (const i of entries) {
    try {
      await swapOne(to.chain[i]!);
      done.push(i);
    } catch (error) {
      if (isUnanswered(error)) throw error;
      const stay = await back(
        swapOne,
        from,
        [...new Set([...done, ...maybe])].sort((a, b) => a - b),
      );
      return { runs: withEntries(from, to, stay), refused: error as NfError };
    }
  }
  return { runs: to };
}

/** Those that could not be swapped back. */
async function back(swapOne: (entry: DeployedEntry) => Promise<unknown>, to: DeploymentSpec, done: readonly number[]): Promise<number[]> {
  const stay: number[] = [];
  for (const i of [...done].reverse()) {
    try {
      await swapOne(to.chain[i]!);
    } catch (error) {
      if (isUnanswered(error)) throw error;
      stay.push(i);
    }
  }
  return stay;
}
