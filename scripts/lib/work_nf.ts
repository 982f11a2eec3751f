/** An NF that works as long for each packet as its configuration says, so that few packets are much load. It counts a flow's packets. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

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
class Done {
  packets: u64;
  mark: u32;
}

let rounds: u32 = 0;

export class Work extends NetworkFunction<Done, Config> {
  configure(config: Config): void {
    rounds = config.rounds;
  }

  process(p: Packet, s: Done): Verdict {
    s.packets += 1;
    let mark = s.mark;
    for (let i: u32 = 0; i < rounds; i++) mark = mark * 1664525 + 1013904223;
    s.mark = mark;
    return Verdict.FORWARD;
  }
}
`;

/** Its folder, made in this one. */
export function writeWorkNf(parent: string): string {
  const folder = join(parent, WORK);
  mkdirSync(join(folder, "assembly"), { recursive: true });
  writeFileSync(join(folder, "nf.yaml"), MANIFEST);
  writeFileSync(join(folder, "assembly/index.ts"), SOURCE);
  return folder;
}
