/**
 * Admission of an NF by the host: in a child process, whoever the file is from. The verdict is kept under the digest of the file and of the checker,
 * so that the next start of the same NF takes no child; only acceptances are kept.
 */
import { type AdmittedNf, admissionCacheKey, checkInChild, decodeAdmission, encodeAdmission, refusedError } from "@nfactor/sdk/admission";
import { HostCache } from "../cache/host_cache.ts";

/** `shown` is how messages name the NF. Throws NfError (admission.*). */
export async function admit(component: Uint8Array, shown: string): Promise<AdmittedNf> {
  const cache = HostCache.open();
  const key = admissionCacheKey(component);
  const kept = cache?.get("admission", key);
  const known = kept && decodeAdmission(kept.toString("utf8")).nf;
  if (known) return known;
  const admission = await checkInChild(component);
  if (!admission.nf) throw refusedError(shown, admission);
  cache?.put("admission", key, Buffer.from(encodeAdmission(admission)));
  return admission.nf;
}
