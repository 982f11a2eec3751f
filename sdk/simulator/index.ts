/** The packet path on V8: an independent second implementation of docs/packet_path.md, for tests, for `nfactor sim`, and to compare with. */
export type { ChainEntry } from "./chain_nf.ts";
export { StartError } from "./instance.ts";
export { DEFAULT_IDLE_MS, type IdleMs } from "./flow.ts";
export type { CountersSnapshot, NativeFlow, PacketOutcome, SentFrame, SimulatedFault, SimulationEvent, SimulationReport } from "./report.ts";
export { type InputPacket, Simulation, type SimulationOptions } from "./simulation.ts";
export { type SimulateOptions, simulate, sides } from "./simulate.ts";
