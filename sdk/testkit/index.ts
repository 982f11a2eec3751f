/**
 * The test kit, for vitest or any other runner: `import { loadNf, udp } from "@nfactor/sdk/test"`.
 *
 * An NF is built from its folder and runs on the simulator, which does with packets what the dataplane does. Packets are built from lines of text.
 */
export { type ChainItem, type ChainOptions, type NfOptions, loadChain, loadNf } from "./load_nf.ts";
export type { RuntimeShown } from "../simulator/fill.ts";
export { type SendOptions, TestChain, type TestFault, type TestFlow } from "./test_chain.ts";
export { Verdict } from "./verdict.ts";
export {
  type Bytes,
  type EchoOptions,
  type FrameOptions,
  type IcmpErrorOptions,
  type IpOptions,
  type L4Options,
  type TcpOptions,
  ethernet,
  fragments,
  icmp,
  icmpEcho,
  icmpError,
  ip,
  tcp,
  udp,
} from "./packets.ts";
export { l4Of, payloadOf, quotedOf, tupleText, wrongChecksums } from "./inspect.ts";
export { Random } from "./random.ts";
export { readCapture } from "../capture/index.ts";
