/** What scaling wants done, and what it says about why. Both are plain data: they go over RPC, into the event log, and to people. */

interface Common {
  /** The same as long as the same thing is wanted: who has carried it out once does nothing the second time. */
  key: string;
  group: string;
}

export type Decision =
  /** `homes`, with replication: its flows are protected from the first one on. */
  | (Common & { kind: "start"; runtime: string; host: string; homes?: readonly string[] })
  /** `count` flows, whichever, or those of `flowIds`. */
  | (Common & { kind: "move"; from: string; to: string; count: number; flowIds?: readonly string[] })
  /** It gets no new flows, and those that it has move to `to`. */
  | (Common & { kind: "drain"; runtime: string; to: readonly string[] })
  | (Common & { kind: "undrain"; runtime: string })
  /** `force`: it is dead, or its host is: there is nothing to wait for. */
  | (Common & { kind: "remove"; runtime: string; force: boolean })
  /** Names the runtimes that keep the replicas of its flows. */
  | (Common & { kind: "protect"; runtime: string; homes: readonly string[] });

/** What it is to be called; the key comes when it is decided. */
export type Wish = Decision extends infer D ? (D extends Decision ? Omit<D, "key" | "group"> : never) : never;

export type Rule =
  | "bounds" // the number of runtimes against min, max and quota
  | "load_out" // more runtimes, since there is more load
  | "load_in" // fewer of them
  | "reach_size" // starts and drains towards the wanted number
  | "hot_runtime" // flows leave a runtime that has too much
  | "empty" // a drained runtime goes
  | "failure" // what has died is replaced
  | "cordon" // a host is emptied
  | "replicas" // homes of replicas
  | "silence" // who does not report
  | "report" // a report that cannot be true
  | "operation"; // one that failed, or that nobody has heard of

export interface Explanation {
  group: string;
  rule: Rule;
  /** The runtime or host that it is about, when it is about one. */
  subject?: string;
  /** The figures that the rule looked at. */
  seen: Readonly<Record<string, number | string>>;
  /** Keys of the decisions that follow; none when something was wanted and is not done. */
  done: readonly string[];
  why: string;
  /** What else could have been done, and why it was not. */
  instead: readonly { option: string; because: string }[];
}

/** One line for people, who know which group it is about. */
export function explanationText({ rule, subject, seen, done, why, instead }: Explanation): string {
  const figures = Object.entries(seen).map(([name, value]) => `${name} ${typeof value === "number" ? Number(value.toFixed(3)) : value}`);
  const others = instead.map(({ option, because }) => `; not ${option}: ${because}`).join("");
  const about = subject === undefined ? "" : `${subject}: `;
  return `${about}${why}${others} [${[rule, ...(figures.length > 0 ? [figures.join(", ")] : [])].join(": ")}]${done.length > 0 ? ` → ${done.join(", ")}` : ""}`;
}

/** All runtimes that take part: none of them takes part in another operation meanwhile. */
export function participants(decision: Wish | Decision): readonly string[] {
  switch (decision.kind) {
    case "move":
      return [decision.from, decision.to];
    case "drain":
      return [decision.runtime, ...decision.to];
    default:
      return [decision.runtime];
  }
}
