/**
 * The NF that `nfactor init` makes: a working one, small enough to be read in a minute. It lets each flow have a number of packets, so that its test
 * shows configuration, flow state, a verdict and a drop reason.
 *
 * The tsconfig files are for editors only: asc and vitest find everything by themselves (`nfactor build`, `nfactor test`).
 */
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { ROOT, SDK } from "../package.ts";

/** Path in the NF's folder → content. `folder` is where it will be: the editor's paths depend on it. */
export function templateFiles(name: string, folder: string): Map<string, string> {
  return new Map([
    ["nf.yaml", manifest(name)],
    ["assembly/index.ts", source(name)],
    ["assembly/tsconfig.json", json(assemblyTsconfig(join(folder, "assembly")))],
    [`${name}.test.ts`, testFile()],
    ["tsconfig.json", json(testTsconfig(folder))],
    ["README.md", readme(name)],
  ]);
}

const className = (name: string): string =>
  name
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

function manifest(name: string): string {
  return `apiVersion: nfactor/v1
name: ${name}
version: 0.1.0
entry: assembly/index.ts
rights: { view: headers } # what it sees and may change; see edit, reshape, reply, emits, lease
drop_reasons: { 128: limit } # counted as ${name}.limit
on_fault: close_flow # drop | close_flow | bypass
quarantine: closed # closed | open
`;
}

function source(name: string): string {
  return `import { NetworkFunction, Packet, Verdict } from "@nfactor/sdk";

@config
class Config {
  packetsPerFlow: u32 = 1000;
}

/** What is kept for each flow: plain numbers and byte strings. It begins as zeros and is shown by field name. */
@flowState
class Counts {
  passed: u64;
  dropped: u64;
}

let limit: u64 = 0; // written in configure only, so every instance has the same

export class ${className(name)} extends NetworkFunction<Counts, Config> {
  configure(config: Config): void {
    limit = <u64>config.packetsPerFlow;
  }

  process(p: Packet, s: Counts): Verdict {
    if (s.passed >= limit) {
      s.dropped += 1;
      return p.drop(128); // a reason of nf.yaml
    }
    s.passed += 1;
    return Verdict.FORWARD;
  }
}
`;
}

function testFile(): string {
  return `import { loadNf, udp } from "@nfactor/sdk/test";
import { expect, test } from "vitest";

test("a flow gets its packets and no more", async () => {
  const nf = await loadNf(import.meta.dirname, { packetsPerFlow: 2 });
  const verdicts = nf.send([1, 2, 3].map(() => udp("10.0.0.1:1000 > 10.0.0.2:53")));
  expect(verdicts.map(String)).toEqual(["FORWARD", "FORWARD", "DROP limit"]);
  expect(nf.flow("udp 10.0.0.1:1000 > 10.0.0.2:53").state).toMatchObject({ passed: 2n, dropped: 1n });
});
`;
}

function readme(name: string): string {
  return `# ${name}

Lets each flow have \`packetsPerFlow\` packets (both directions together) and drops the rest, counted as \`${name}.limit\`.

| configuration | default | means |
|---|---|---|
| \`packetsPerFlow\` | 1000 | packets that a flow may have |

| flow state | means |
|---|---|
| \`passed\` | packets that went on |
| \`dropped\` | packets beyond the limit |

\`\`\`
nfactor test                                          # ${name}.test.ts
nfactor build                                         # writes the artifact
nfactor sim --chain . --in some.pcap                  # on the simulator
nfactor run --chain . --in some.pcap --out out.pcap   # on the dataplane
\`\`\`
`;
}

function assemblyTsconfig(folder: string): object {
  const std = join(dirname(createRequire(join(SDK, "package.json")).resolve("assemblyscript/package.json")), "std/assembly.json");
  return {
    extends: pathFrom(folder, std),
    compilerOptions: {
      paths: { "@nfactor/sdk": [pathFrom(folder, join(SDK, "assembly/index.ts"))] },
      strictPropertyInitialization: false,
      skipLibCheck: true,
      noEmit: true,
    },
    include: ["./**/*.ts", pathFrom(folder, join(SDK, "assembly/decorators.d.ts"))],
  };
}

function testTsconfig(folder: string): object {
  const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "dist/index.d.ts");
  return {
    compilerOptions: {
      target: "ES2023",
      module: "ESNext",
      moduleResolution: "Bundler",
      strict: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      noEmit: true,
      types: ["node"],
      typeRoots: [pathFrom(folder, join(ROOT, "node_modules/@types"))],
      paths: { vitest: [pathFrom(folder, vitest)], "@nfactor/sdk/test": [pathFrom(folder, join(SDK, "testkit/index.ts"))] },
    },
    include: ["*.test.ts"],
  };
}

/** Relative inside of NFActor's own tree, so that the folder can be committed there; absolute elsewhere. */
function pathFrom(folder: string, target: string): string {
  if (!`${folder}/`.startsWith(`${ROOT}/`)) return target;
  const path = relative(folder, target);
  return path.startsWith(".") ? path : `./${path}`;
}

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
