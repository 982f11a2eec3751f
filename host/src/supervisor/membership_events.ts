/**
 * What Membership is told and what it wants done; commands and their order are those of dataplane-native/src/nfactord/README.md. A member is a place: 0 is
 * the vswitch, runtimes are 1 to 15. A life is one process in that place, named by an incarnation that is never used again.
 */
export const VSWITCH = 0;
/** The vswitch's term is part of stamps. */
export const TERM_MAX = 255;
export const INCARNATION_MAX = 2 ** 32 - 1;

export interface Life {
  member: number;
  incarnation: number;
}

/** A runtime's command is one member's knowledge of another; `link` and `exclude` are the vswitch's. */
export type Command =
  | { do: "link"; member: number; incarnation: number }
  | { do: "member_up"; member: number; incarnation: number }
  | { do: "member_down"; member: number; incarnation: number }
  | { do: "exclude"; member: number; on: boolean }
  /** To a runtime: where the replicas of its flows are to be; empty: anywhere. */
  | { do: "homes"; members: number[] }
  /** `leaves`: its flows may go on in others, so that they do not end with it. */
  | { do: "stop"; drain: boolean; leaves: boolean };

export type MembershipEvent =
  /** Its first sign of life. */
  | ({ type: "ready" } & Life)
  /** The vswitch of this life sees the runtime's end of the link, or no longer. */
  | ({ type: "link"; vswitch: number; isUp: boolean } & Life)
  /** The vswitch of this life has fenced the runtime by itself. */
  | ({ type: "lost"; vswitch: number } & Life)
  /** The process is gone. */
  | ({ type: "exited" } & Life)
  /** The process is alive, and does nothing or does not answer. */
  | ({ type: "hung" } & Life)
  /** An answer; `isOk` false: a refusal. One that does not answer in time has `hung`. */
  | { type: "told"; to: Life; command: Command; isOk: boolean }
  /** One that could not be spoken to for a while can be again, and says whom it knows. */
  | ({ type: "found" } & Found)
  | { type: "collected"; life: Life }
  | { type: "add"; member: number }
  | { type: "remove"; member: number }
  | { type: "draining"; member: number; on: boolean }
  /** Where its replicas are to be, in all of its lives. */
  | { type: "homes"; member: number; members: readonly number[] }
  | { type: "stop"; drain: boolean }
  | { type: "time" };

export type Effect =
  /** Of a runtime: with whom it is to know from the start, and the vswitch's life that its link leads to. Of a vswitch `peers` are who may have flows. */
  | { type: "spawn"; life: Life; term: number; vswitch: number; peers: Life[]; homes: number[] }
  | { type: "tell"; to: Life; command: Command }
  | { type: "kill"; life: Life }
  /** Its counters are to be put into the books, which outlive it; then `collected`. */
  | { type: "collect"; life: Life }
  /** It is in the books, and they are on disk: nothing of it is needed any more. */
  | { type: "forget"; life: Life }
  | { type: "wake"; atMs: number };

export interface DurableMember {
  member: number;
  /** Of the life that was started last; 0: none. */
  incarnation: number;
  /** Whether that life is not known to have ended. */
  isAlive: boolean;
  /** It is to end: whoever has been turned away from is never believed again, however long it takes to reach it. */
  isFenced: boolean;
  /** Processes that were started for it. */
  lives: number;
  isDraining: boolean;
  isRemoved: boolean;
  /** Where its replicas are to be, in order; empty: anywhere. */
  homes: number[];
}

/** What has to be on disk before any effect is carried out. */
export interface Durable {
  term: number;
  lastIncarnation: number;
  /** The vswitch first. */
  members: DurableMember[];
  /** Lives that have ended and are not in the books. */
  ended: Life[];
}

export interface Known {
  member: number;
  incarnation: number;
  isUp: boolean;
  link: "none" | "waiting" | "up";
}

/** What a process says of itself when a supervisor finds it. */
export interface Found {
  life: Life;
  /** Whom it knows; of the vswitch: for whom it has a link. Undefined: it cannot be asked, and is taken to live. */
  knows: Known[] | undefined;
  /** Of a runtime: where it has been told that its replicas are to be. */
  homes?: number[] | undefined;
}
