/** The name that an NF gives itself, read without building or admitting it. Only used to name a chain's entry. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MANIFEST_FILE, nameSchema, readManifest } from "@nfactor/sdk/manifest";
import { unpackComponent } from "@nfactor/sdk/pack";
import { type NfPlace, shownPath } from "./resolve.ts";

/** Undefined when an artifact has no usable name; admission will say why. Throws NfError (manifest.*) for a broken nf.yaml. */
export function peekName(place: NfPlace): string | undefined {
  if (place.kind === "source") return readManifest(join(place.path, MANIFEST_FILE), join(shownPath(place.path), MANIFEST_FILE)).value.name;
  try {
    const { manifest } = unpackComponent(readFileSync(place.path));
    const name = nameSchema.safeParse((manifest as { name?: unknown } | null)?.name);
    return name.success ? name.data : undefined;
  } catch {
    return undefined;
  }
}
