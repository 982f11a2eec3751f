/** What an NF asks for, compared with what the operator grants its entry. */
import { NfError } from "@nfactor/sdk/errors";
import type { Manifest, Rights } from "@nfactor/sdk/manifest";
import type { EntryPlan } from "../config/plan.ts";
import { CONFIG_FILE, type Grant } from "../config/host_config.ts";
import type { NfRights } from "../dataplane/native_types.ts";

export type { Grant };

const VIEWS = ["headers", "payload"] as const;
const EDITS = ["none", "headers", "payload"] as const;

/** The rights that go beyond the grant, as `edit: headers`; empty when all are granted. */
export function beyondGrant(wanted: Rights, grant: Grant): string[] {
  const beyond: string[] = [];
  if (VIEWS.indexOf(wanted.view) > VIEWS.indexOf(grant.view)) beyond.push(`view: ${wanted.view}`);
  if (EDITS.indexOf(wanted.edit) > EDITS.indexOf(grant.edit)) beyond.push(`edit: ${wanted.edit}`);
  if (wanted.reshape && !grant.reshape) beyond.push("reshape: true");
  if (wanted.reply && !grant.reply) beyond.push("reply: true");
  if (wanted.emits > grant.emits) beyond.push(`emits: ${wanted.emits}`);
  return beyond;
}

/** The rights an entry gets: those of the manifest, never more. Throws NfError (config.rights). */
export function grantedRights(manifest: Manifest, entry: Pick<EntryPlan, "name" | "grant" | "grantPlace" | "where" | "leaseSize">): NfRights {
  const { rights } = manifest;
  const beyond = entry.grant === "all" ? [] : beyondGrant(rights, entry.grant);
  if (beyond.length > 0) {
    const wanted = beyond.join(", ");
    throw new NfError("config.rights", `chain '${entry.name}': ${manifest.name} asks for '${wanted}', which is not granted`, {
      where: entry.grantPlace ?? entry.where,
      given: wanted,
      fix: `If it may have that, write 'grant: { ${wanted} }' at its entry in ${CONFIG_FILE}, or --grant ${entry.name}=${beyond.map((right) => right.replace(": ", ":")).join(",")}.`,
    });
  }
  if (rights.lease && entry.leaseSize === 0) {
    throw new NfError("config.rights", `chain '${entry.name}': ${manifest.name} wants a leased value for each flow, and the entry has no pool of them`, {
      where: entry.where,
      fix: `Write 'lease: { size: 64512 }' at its entry in ${CONFIG_FILE}, or --lease ${entry.name}=64512.`,
    });
  }
  return { ...rights };
}
