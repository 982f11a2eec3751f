/** An artifact from the controller: in parts, so that no message is long, and by its digest, so that it is the right one or none. */
import { createHash } from "node:crypto";
import { NfError } from "@nfactor/sdk/errors";
import { type Clock, systemClock } from "../clock/clock.ts";
import { type Sessions, callAgain } from "./again.ts";
import { CHUNK_BYTES_MAX, type CONTROLLER_METHODS } from "./host_methods.ts";

/** More than the largest that is admitted. */
export const ARTIFACT_BYTES_MAX = 32 << 20;
const PART_MS = 60_000;

/** Goes on where it was when the connection breaks. Rejects with what the controller says, or NfError (rpc.result) when it is not what was asked for. */
export async function fetchArtifact(
  sessions: Sessions<typeof CONTROLLER_METHODS>,
  digest: string,
  { clock = systemClock, signal, bytesMax = ARTIFACT_BYTES_MAX }: { clock?: Clock; signal?: AbortSignal; bytesMax?: number } = {},
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (;;) {
    const params = { digest, offset, length: CHUNK_BYTES_MAX };
    const { total, bytes } = await callAgain(sessions, clock, "artifact", params, { deadlineMs: PART_MS, signal });
    if (total > bytesMax)
      throw new NfError("rpc.result", `artifact ${digest} is too long`, { given: `${total} bytes`, allowed: `${bytesMax} bytes`, fix: "Make it smaller." });
    parts.push(bytes);
    offset += bytes.length;
    if (offset >= total) break;
    if (bytes.length === 0) throw new NfError("rpc.result", `artifact ${digest} ends after ${offset} of ${total} bytes`);
  }
  const whole = Buffer.concat(parts);
  const found = createHash("sha256").update(whole).digest("hex");
  if (found === digest) return whole;
  throw new NfError("rpc.result", `what came is not artifact ${digest}`, { given: found, allowed: digest, fix: "Push it to the controller again." });
}
