/** parseAddress of the AssemblyScript library against what Node takes for an address. */
import { isIPv4, isIPv6 } from "node:net";
import { beforeAll, expect, test } from "vitest";
import { encodeConfig } from "../config/index.ts";
import { addressBytes } from "../testkit/endpoints.ts";
import { Random } from "../testkit/random.ts";
import type { BuiltNf } from "./build.ts";
import { MANIFEST, type RunningNf, buildText, run } from "./testing/temporary_nf.ts";

const NF = `import { Address, NetworkFunction, NoState, Packet, Verdict, counter, parseAddress } from "@nfactor/sdk";
@config class Config { text: string; }
export class Probe extends NetworkFunction<NoState, Config> {
  configure(c: Config): u32 {
    const address = new Address();
    if (!parseAddress(c.text, address)) return 1;
    counter(0).add(address.high);
    counter(1).add(address.low);
    return 0;
  }
  process(p: Packet, s: NoState): Verdict { return Verdict.FORWARD; }
}
`;
let built: BuiltNf;
let nf: RunningNf;
beforeAll(async () => {
  built = await buildText(NF, `${MANIFEST}heap_pages: 16\n`); // each configuration stays in memory
  nf = await run(built.core);
});

/** 32 hex digits, IPv4 mapped; undefined if the text is refused. */
function parsed(text: string): string | undefined {
  const before = [nf.counter(0), nf.counter(1)] as const;
  if (nf.configure(encodeConfig(built.configSchema, { text })) !== 0) return undefined;
  return [nf.counter(0) - before[0], nf.counter(1) - before[1]].map((word) => BigInt.asUintN(64, word).toString(16).padStart(16, "0")).join("");
}

function wanted(text: string): string | undefined {
  if (!isIPv4(text) && !isIPv6(text)) return undefined;
  const hex = Buffer.from(addressBytes(text)).toString("hex");
  return isIPv4(text) ? `00000000000000000000ffff${hex}` : hex;
}

test.each(
  [
    "0.0.0.0 255.255.255.255 1.2.3.256 1.2.3 1.2.3.4.5 1.2.3.04 1..3.4 1.2.3.4. .1.2.3.4 1.2.3.4/8 x 1.2.3.1234",
    ":: ::1 1:: 1::2 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1:2:3:4::5:6:7:8 2001:DB8::fffF 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9",
    "::ffff:1.2.3.4 1:2:3:4:5:6:1.2.3.4 1:2:3:4:5:6:7:1.2.3.4 ::1.2.3.4 1.2.3.4::1 64:ff9b::1.2.3.256 ::1.2.3 : ::: 1:::2 1::2::3 :1 1: 12345:: g::",
  ].flatMap((line) => line.split(" ")),
)("%s", (text) => expect(parsed(text)).toBe(wanted(text)));

test.each([1, 2, 3])("random addresses, and texts that nearly are, seed %i", (seed) => {
  const r = new Random(seed);
  for (let i = 0; i < 300; i++) {
    const words = Array.from({ length: 8 }, () => r.pick(["0", r.below(65_536).toString(16), "::", ""]));
    const text = r.pick([words.slice(0, 1 + r.below(8)), words])
      .join(":")
      .replaceAll(/:{3,}/g, "::");
    expect([text, parsed(text)]).toEqual([text, wanted(text)]);
  }
});
