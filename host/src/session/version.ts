import { NfError } from "@nfactor/sdk/errors";
import type { VersionRange } from "./messages.ts";

const shown = ({ min, max }: VersionRange): string => (min === max ? `${min}` : `${min} to ${max}`);

/** The highest that both have. Throws NfError (rpc.version), which names both ranges. */
export function pickVersion(ours: VersionRange, theirs: VersionRange): number {
  const version = Math.min(ours.max, theirs.max);
  if (version >= Math.max(ours.min, theirs.min)) return version;
  const older = theirs.max < ours.min ? "whoever has connected" : "whom it has connected to";
  throw new NfError("rpc.version", `one side speaks version ${shown(theirs)} of the protocol, the other ${shown(ours)}`, {
    given: shown(theirs),
    allowed: shown(ours),
    fix: `Bring ${older} to a newer release of NFActor.`,
  });
}
