/** An NF that works as long for each packet as its configuration says, so that few packets are much load. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildNf } from "@nfactor/sdk/build";
import type { Nf } from "./user.ts";

export const WORK = "work";

const MANIFEST = `apiVersion: nfactor/v1
name: ${WORK}
version: 0.0.1
entry: assembly/index.ts
rights: { view: headers }
`;

const SOURCE = `import { NetworkFunction, Packet, Verdict } from "@nfactor/sdk";

@config
class Config {
  rounds: u32 = 0;
}

@flowState
class Mark {
  value: u32;
}

let rounds: u32 = 0;

export class Work extends NetworkFunction<Mark, Config> {
  configure(config: Config): void {
    rounds = config.rounds;
  }

  process(p: Packet, s: Mark): Verdict {
    let mark = s.value;
    for (let i: u32 = 0; i < rounds; i++) mark = mark * 1664525 + 1013904223;
    s.value = mark;
    return Verdict.FORWARD;
  }
}
`;

export async function buildWorkNf(parent: string): Promise<Nf> {
  const folder = join(parent, WORK);
  mkdirSync(join(folder, "assembly"), { recursive: true });
  writeFileSync(join(folder, "nf.yaml"), MANIFEST);
  writeFileSync(join(folder, "assembly/index.ts"), SOURCE);
  const { component } = await buildNf(folder);
  return { component, digest: createHash("sha256").update(component).digest("hex") };
}
