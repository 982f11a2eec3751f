/** Versions of a small NF that writes its version's number into the first byte of each payload: who gets the packet sees who has handled it. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildNf } from "@nfactor/sdk/build";

export const STAMP = "stamp";
const STAMPS_MAX = 255;

export interface StampingNf {
  readonly stamp: number;
  readonly version: string;
  readonly folder: string;
  /** The artifact's file. */
  readonly path: string;
  readonly component: Uint8Array;
  readonly digest: string;
}

export async function buildStampingNf(parent: string, stamp: number): Promise<StampingNf> {
  if (stamp < 1 || stamp > STAMPS_MAX) throw new Error(`a stamp is a byte that is not 0, and not ${stamp}`);
  const version = `0.0.${stamp}`;
  const folder = join(parent, `${STAMP}-${stamp}`);
  mkdirSync(join(folder, "assembly"), { recursive: true });
  writeFileSync(
    join(folder, "nf.yaml"),
    `apiVersion: nfactor/v1\nname: ${STAMP}\nversion: ${version}\nentry: assembly/index.ts\nrights: { view: payload, edit: payload }\n`,
  );
  writeFileSync(join(folder, "assembly/index.ts"), sourceOf(stamp));
  const { component, componentPath } = await buildNf(folder);
  return { stamp, version, folder, path: componentPath, component, digest: createHash("sha256").update(component).digest("hex") };
}

function sourceOf(stamp: number): string {
  return `import { NetworkFunction, NoConfig, Packet, Verdict } from "@nfactor/sdk";

@flowState
class Seen {
  packets: u64;
}

export class Stamp extends NetworkFunction<Seen, NoConfig> {
  process(p: Packet, s: Seen): Verdict {
    s.packets += 1;
    if (p.payload.length > 0) p.payload.setU8(0, ${stamp});
    return Verdict.FORWARD;
  }
}
`;
}
