// The class that an NF extends. S is the flow's state (a @flowState class or NoState), C the configuration (a @config class or NoConfig).
//
// The methods here do nothing and are never called: the compiler writes the module's exports from those that the NF's own class
// declares. They say how those look:
//
//   configure(c: C): void | u32             once per instance, before any packet; not 0 refuses the configuration
//   open(p: Packet, s: S): void             before the first packet of a flow; the state is zero
//   process(p: Packet, s: S): Verdict       every packet; the one method that is required
//   close(f: Flow, s: S, reason: CloseReason): void          a flow that was opened has ended
//   timer(f: Flow, s: S, nowNs: u64): void                   the timer that p.armTimer(ms) asked for
//   tick(nowMs: u64): void                                   ten times a second at most
//   migrateState(fromVersion: u32, old: usize, oldBytes: u32, s: S): bool     converts the state of an older layout
//   migrationTarget(cluster: u32, n: u32, f: Flow, s: S): u32                 the runtime that the flow should move to; 0 or its own: stay
//   arrived(f: Flow, s: S, reason: u32): u32                 a flow comes with its state (reason: ArrivalReason); not 0: it stays where it was
//   left(f: Flow, s: S): void                                a flow has moved away

/** State of an NF that keeps none. */
@unmanaged
@final
export class NoState {}

/** Configuration of an NF that takes none. */
@final
export class NoConfig {}

export abstract class NetworkFunction<S, C> {}
