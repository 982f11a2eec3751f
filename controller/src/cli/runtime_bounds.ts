/** How many runtimes a deployment may have, as it is typed. */
import { safeText } from "@nfactor/host/text";
import { NfError } from "@nfactor/sdk/errors";

/** `2..8` or `4`. Throws NfError (usage). */
export function runtimeBounds(what: string, text: string): { min: number; max: number } {
  const [, low = "", high = low] = /^(\d{1,5})(?:\.\.(\d{1,5}))?$/.exec(text) ?? [];
  const [min, max] = [Number(low), Number(high)];
  if (low !== "" && min >= 1 && min <= max && max <= 10_000) return { min, max };
  throw new NfError("usage", `${what}: '${safeText(text, 40)}' is no number of runtimes`, { allowed: "<min>..<max> like 2..8, or one number; 1 at least, the first not above the second" });
}
