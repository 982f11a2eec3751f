/** Exit codes of all commands; docs/cli.md is written from this table. */
import type { ErrorCode } from "@nfactor/sdk/error_codes";

export const EXIT = { ok: 0, failure: 1, badInput: 2, notMoved: 3, unreachable: 4, notAllowed: 5, conflict: 6, pending: 7, interrupted: 130 } as const;

export const EXIT_DOCS: readonly (readonly [number, string])[] = [
  [EXIT.ok, "It worked. `run` also ends with 0 after Ctrl-C or SIGTERM, once everything in flight has left."],
  [EXIT.failure, "It failed although the input was good: no permission, no memory, the native part is not built, a test failed, a host that does not answer."],
  [EXIT.badInput, "Bad input: the command line, a configuration, an NF's source or artifact, a capture file, an interface. Nothing was changed."],
  [
    EXIT.notMoved,
    "`migrate`, `drain`: some flows did not move, or `undrain` ended it. They are where they were, and go on; the result says how many and why. `recover`: some flows lost their state. `hosts drain`: not everything could leave.",
  ],
  [EXIT.unreachable, "No controller answers: none listens, the address is wrong, the connection broke."],
  [EXIT.notAllowed, "The controller's API does not let this token do it, or it is none."],
  [EXIT.conflict, "Somebody was faster, or it is in use: what is there now is not what was meant. Nothing was changed; look again, and try again."],
  [EXIT.pending, "It is not done yet: the time ran out, or a host is away. What was asked for goes on, or is carried out when the host is there."],
  [EXIT.interrupted, "Ended by Ctrl-C before there was a result. What a host was asked for goes on there."],
];

/** Failures that a better input would not mend; all other codes are bad input. */
const FAILURES: ReadonlySet<ErrorCode> = new Set([
  "internal",
  "admission.timeout",
  "artifact.aborted",
  "artifact.busy",
  "artifact.damaged",
  "artifact.full",
  "artifact.io",
  "artifact.uncertain",
  "capture.write",
  "cli.answer",
  "cluster.host_away",
  "doctor.missing",
  "eal.init",
  "eal.memory",
  "host.permission",
  "host.socket",
  "host.state",
  "host.not_running",
  "native.missing",
  "nf.compile",
  "peer.in_use",
  "port.start",
  "rest.aborted",
  "rest.busy",
  "rest.closing",
  "rest.listen",
  "rest.rate",
  "rest.timeout",
  "rpc.busy",
  "rpc.cancelled",
  "rpc.closed",
  "rpc.deadline",
  "rpc.frame",
  "rpc.listen",
  "rpc.lost",
  "rpc.outcome",
  "rpc.protocol",
  "rpc.replaced",
  "rpc.result",
  "rpc.slow",
  "rpc.unreachable",
  "runtime.busy",
  "runtime.ended",
  "runtime.last",
  "runtime.limit",
  "runtime.no_flow",
  "runtime.not_empty",
  "runtime.not_found",
  "runtime.spec",
  "store.closed",
  "store.compacted",
  "store.damaged",
  "store.full",
  "store.io",
  "store.lease",
  "store.locked",
  "trace.busy",
  "trace.ended",
  "trace.unsupported",
]);

/** What has an exit code of its own. */
const OWN: Partial<Record<ErrorCode, number>> = {
  "cli.unreachable": EXIT.unreachable,
  "cli.timeout": EXIT.pending,
  "rest.unauthorized": EXIT.notAllowed,
  "rest.forbidden": EXIT.notAllowed,
  "store.stale": EXIT.conflict,
  "store.exists": EXIT.conflict,
  "cluster.in_use": EXIT.conflict,
  "cluster.port": EXIT.conflict,
  "cluster.ending": EXIT.conflict,
  "host.stale": EXIT.conflict,
  "rpc.deadline": EXIT.pending,
  "artifact.in_use": EXIT.conflict,
  "artifact.version_taken": EXIT.conflict,
};

export function exitCodeOf(code: ErrorCode): number {
  const own = OWN[code];
  if (own !== undefined) return own;
  return FAILURES.has(code) ? EXIT.failure : EXIT.badInput;
}
