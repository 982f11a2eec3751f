/** Sessions between a host and its controller, for both. */
export { ARTIFACT_BYTES_MAX, fetchArtifact } from "./artifact.ts";
export { CHUNK_BYTES_MAX, CONTROLLER_METHODS, GUEST_METHODS, HOST_METHODS } from "./host_methods.ts";
export { SessionPlace, type Sessions, callAgain } from "./again.ts";
export type { CallOptions, StreamOptions } from "./calling.ts";
export { accept, dial } from "./greet.ts";
export type { Inlet, StreamEvent } from "./inlet.ts";
export { BACKOFF, type Backoff, Link, type LinkOptions } from "./link.ts";
export { CREDIT_MAX, FRAME, GREETING_FRAME, type Hello, VERSIONS, type VersionRange } from "./messages.ts";
export {
  type CallMethod,
  type CallName,
  type Handler,
  type Handlers,
  type Methods,
  type ParamsOf,
  type Peer,
  type Request,
  type ResultOf,
  type Sink,
  type StreamMethod,
  change,
  read,
  stream,
} from "./method.ts";
export { OUTCOMES, Outcomes, type OutcomeLimits } from "./outcomes.ts";
export { PULSE, type PulseTimes } from "./pulse.ts";
export { type RpcLine, RpcLog } from "./rpc_log.ts";
export { type Admitted, type Served, Session, type SessionOptions, serve } from "./session.ts";
