/** Scaling: what the controller decides about runtimes, flows and replicas, as a pure function. */
export { type Decided, decide } from "./decide.ts";
export { type Decision, type Explanation, type Rule, explanationText, participants } from "./decision.ts";
export { type GroupPolicy, type Policy, parsePolicy, policySchema } from "./policy.ts";
export { type ScalingState, initialState } from "./state.ts";
export type * from "./view.ts";
