/** The NFs that the demo writes, as an author would, on what `nfactor init` has made. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Refused by the first version of the guard, and not by the second. */
export const REFUSED_PORT = 8080;
/** And by the second: nobody uses it here. */
const REFUSED_NEXT = 8443;

const GUARD = `import { NetworkFunction, NoConfig, Packet, Verdict } from "@nfactor/sdk";

@flowState
class Seen {
  passed: u64;
  refused: u64;
}

export class Guard extends NetworkFunction<Seen, NoConfig> {
  process(p: Packet, s: Seen): Verdict {
    if (p.flow.responderPort == ${REFUSED_PORT}) {
      s.refused += 1;
      return p.drop(128);
    }
    s.passed += 1;
    return Verdict.FORWARD;
  }
}
`;

const GUARD_TEST = `import { loadNf, tcp } from "@nfactor/sdk/test";
import { expect, test } from "vitest";

test("port ${REFUSED_PORT} is refused, and no other", async () => {
  const nf = await loadNf(import.meta.dirname);
  const verdicts = nf.send([80, ${REFUSED_PORT}].map((port) => tcp(\`10.0.0.1:1000 > 10.0.0.2:\${port}\`)));
  expect(verdicts.map(String)).toEqual(["FORWARD", "DROP refused"]);
});
`;

/** Some microseconds for each datagram: a call with a full burst has to stay well below the half millisecond that a host allows it, on any machine. */
const INSPECTOR = `import { NetworkFunction, NoConfig, Packet, Verdict } from "@nfactor/sdk";

@flowState
class Seen {
  digest: u64;
}

export class Inspector extends NetworkFunction<Seen, NoConfig> {
  process(p: Packet, s: Seen): Verdict {
    if (p.flow.protocol != 17) return Verdict.FORWARD;
    let digest = s.digest;
    for (let i: u64 = 0; i < 3000; i++) digest = (digest ^ i) * 0x100000001b3;
    s.digest = digest;
    return Verdict.FORWARD;
  }
}
`;

/** Lines of a source that say what it does. */
const heartOf = (source: string): string => source.slice(source.indexOf("  process("), source.lastIndexOf("}\n"));
export const GUARD_HEART = heartOf(GUARD);
export const INSPECTOR_HEART = heartOf(INSPECTOR);

/** What an author types between `nfactor init` and `nfactor test`. */
export function writeGuard(folder: string): void {
  writeFileSync(join(folder, "guard/assembly/index.ts"), GUARD);
  writeFileSync(join(folder, "guard/guard.test.ts"), GUARD_TEST);
  edit(join(folder, "guard/nf.yaml"), /limit/, "refused");
}

export function writeInspector(folder: string): void {
  writeFileSync(join(folder, "inspector/assembly/index.ts"), INSPECTOR);
}

/** Edits the guard as the command does that this returns. */
export function writeNextGuard(folder: string): string {
  edit(join(folder, "guard/assembly/index.ts"), new RegExp(`== ${REFUSED_PORT}`), `== ${REFUSED_NEXT}`);
  edit(join(folder, "guard/nf.yaml"), /^version: .*$/m, "version: 0.2.0");
  return `sed -i 's/== ${REFUSED_PORT}/== ${REFUSED_NEXT}/' guard/assembly/index.ts && sed -i 's/^version: .*/version: 0.2.0/' guard/nf.yaml`;
}

function edit(path: string, from: RegExp, to: string): void {
  writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
}
