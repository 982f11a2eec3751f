/** Questions before something ends that cannot be had back. */
import { createInterface } from "node:readline/promises";
import { NfError } from "@nfactor/sdk/errors";

/** Throws NfError (usage) unless somebody at a terminal says yes; `what` is like "12 flows of blue/web would end". */
export async function confirm(what: string, question: string): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw new NfError("usage", what, { fix: "Add --yes if that is wanted. Nothing was changed." });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if (/^y(es)?$/i.test((await terminal.question(`${what}. ${question} [y/N] `)).trim())) return;
  } finally {
    terminal.close();
  }
  throw new NfError("usage", "not confirmed, nothing was changed");
}
