/**
 * What is in use, from those who know: desired state, hosts. The registry deletes nothing that one of them names.
 *
 * A reference that lies in the store is written in one transaction with `ArtifactRegistry.using()`. One that lies elsewhere, as an order that was sent to a
 * host, is named by its source first, and then `ArtifactRegistry.use()` is called: only when that has returned is the order sent. Either way no version is
 * deleted under it.
 */
import { NfError } from "@nfactor/sdk/errors";
import { safeText } from "@nfactor/host/text";
import type { NfVersion } from "./kinds.ts";

export interface ArtifactReference {
  /** SHA-256 of the artifact, or of the module in it, which is what hosts report. */
  readonly digest: string;
  /** Who uses it: `chain blue/web`, `host h1`. */
  readonly by: string;
}

export interface ReferenceSource {
  /** In messages: `the desired state`. */
  readonly name: string;
  /** All there are at a moment that is not before the call. Throws when that is not known for certain: then nothing is deleted. */
  references(): Promise<Iterable<ArtifactReference>>;
}

export class References {
  readonly #users = new Map<string, string>();

  /** Asks all of them. Throws NfError (artifact.uncertain). */
  static async ask(sources: readonly ReferenceSource[]): Promise<References> {
    const found = new References();
    for (const source of sources) {
      try {
        for (const { digest, by } of await source.references()) {
          if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error(`'${safeText(digest, 80)}' is no digest`);
          if (!found.#users.has(digest)) found.#users.set(digest, by);
        }
      } catch (cause) {
        const why = cause instanceof Error ? safeText(cause.message) : "it gives no reason";
        throw new NfError("artifact.uncertain", `${source.name} cannot say what is in use: ${why}`, {
          cause,
          fix: "Nothing was deleted. Mend that, then try again.",
        });
      }
    }
    return found;
  }

  /** One of those who use the version, if anybody does. */
  userOf({ artifact, module }: NfVersion): string | undefined {
    return this.#users.get(artifact.digest) ?? this.#users.get(module.digest);
  }
}
