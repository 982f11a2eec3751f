/** What is shown of traces that come from elsewhere. */
export { traceFilter } from "./filter.ts";
export { type TracePacket, type TraceTotals, TRACE_PACKETS_MAX, TRACE_SECONDS_MAX, tracePacketSchema, traceTotalsSchema } from "./packet.ts";
export { plainPaint, terminalPaint, totalsText, tracePacketJson, tracePacketText } from "./text.ts";
