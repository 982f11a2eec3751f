/**
 * What a runtime reports while it runs: faults, log lines, quarantines, ended flows. Everything in them that comes from a guest is untrusted text.
 *
 * A swap changes the sources that faults point into, so these are looked up by the module's digest.
 */
import { logLevelName } from "@nfactor/sdk/abi";
import type { NativeEvent, NativeFlow } from "../dataplane/native_types.ts";
import { type FaultSource, FaultLog, faultText } from "../result/faults.ts";
import { type ChainStates, flowJson } from "../result/flow_json.ts";
import { plural, safeText } from "../result/text.ts";
import type { FlowList } from "./flow_list.ts";

/** Flows are numbered in order of their first packet by each runtime for itself; those of several are put in order by time. */
function orderOf({ flowId, runtime, startNs }: NativeFlow): bigint {
  return runtime === 0 ? flowId : (startNs << 64n) + flowId;
}

export class RunEvents {
  readonly faults = new FaultLog();
  readonly flows: FlowList;
  readonly #chain: ChainStates;
  readonly #sources = new Map<string, FaultSource>();
  readonly #say: (text: string) => void;

  /** `say` gets what a person at the terminal should read at once. */
  constructor(chain: ChainStates, flows: FlowList, say: (text: string) => void) {
    this.#chain = chain;
    this.flows = flows;
    this.#say = say;
  }

  /** Sources of a module, by the digest that its faults carry. */
  know(digest: string, source: FaultSource): void {
    this.#sources.set(digest, source);
  }

  take(event: NativeEvent): void {
    switch (event.type) {
      case "flow_ended":
        this.flows.add(orderOf(event.flow), () => flowJson(event.flow, this.#chain));
        break;
      case "fault": {
        const source = this.#sources.get(event.digest);
        if (this.faults.add(event, source)) this.#say(faultText(event, source));
        break;
      }
      case "log":
        if (event.lost > 0) this.#say(`log  ${event.entry}: ${plural(event.lost, "line")} lost`);
        this.#say(`log  ${event.entry} ${logLevelName(event.level)}: ${safeText(event.text)}`);
        break;
      case "quarantine":
        this.#say(
          `quarantine  ${event.entry}: ${plural(event.faults, "fault")} in short order; ${event.mode === "open" ? "packets pass by it" : "its packets are dropped (nf_quarantined)"} until it is swapped`,
        );
        break;
    }
  }
}
