/** The capture that a run reads, checked before anything is built or started. What is inside is checked by whoever reads it. */
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import { NfError } from "@nfactor/sdk/errors";

/** Absolute path; throws NfError (capture.read). */
export function inputFile(given: string): string {
  const path = resolve(given);
  try {
    if (!statSync(path).isFile()) throw new NfError("capture.read", `'${given}' is no file`, { fix: "Give a pcap or pcapng file with --in." });
    accessSync(path, constants.R_OK);
  } catch (cause) {
    if (cause instanceof NfError) throw cause;
    const why = (cause as NodeJS.ErrnoException).code === "EACCES" ? "may not be read by this user" : "does not exist";
    throw new NfError("capture.read", `'${given}' ${why}`, { cause, fix: "Give a pcap or pcapng file with --in." });
  }
  return path;
}
