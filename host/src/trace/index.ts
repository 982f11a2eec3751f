/** What is shown of traces that come from elsewhere. */
export { traceFilter } from "./filter.ts";
export { type TracePacket, TRACE_PACKETS_MAX, TRACE_SECONDS_MAX, tracePacketSchema } from "./packet.ts";
export { plainPaint, terminalPaint, tracePacketJson, tracePacketText } from "./text.ts";
