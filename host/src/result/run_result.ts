/**
 * The result of a run or a simulation as one JSON object: packets by what became of them, flows with their states by name, faults.
 * Published as docs/schemas/run.schema.json. `flows` and the control socket use the same flow objects.
 *
 * 64-bit fields of an NF's state are decimal strings, whatever their value; counts are numbers.
 */
import { z } from "zod";
import { runtimeSchema } from "./runtimes_result.ts";

const amount = z.int().min(0);

const endpointSchema = z.strictObject({ address: z.string(), port: z.int().min(0).max(65535) });

const keySchema = z.strictObject({
  protocol: z.string().describe("tcp, udp, icmp, icmpv6, sctp, udplite, or ip<number>."),
  initiator: endpointSchema.describe("Who sent the flow's first packet; for ICMP the port is the identifier."),
  responder: endpointSchema,
  vlan: z.array(z.int().min(0).max(4095)).max(2).describe("VLAN ids, outer first."),
});

export const flowSchema = z.strictObject({
  key: keySchema,
  packets: z.tuple([amount, amount]).describe("From the initiator, to the initiator."),
  bytes: z.tuple([amount, amount]).describe("Whole frames, as on the wire."),
  nfs: z.record(z.string(), z.record(z.string(), z.json())).describe("State by the chain entry's name, then by field. 64-bit fields are decimal strings."),
});

export const faultSchema = z.strictObject({
  nf: z.string().describe("The chain entry."),
  kind: z.string().describe("fault_kind of the ABI."),
  message: z.string(),
  file: z.string().optional(),
  line: amount.optional(),
  column: amount.optional(),
  count: z.int().min(1),
});

export const runResultSchema = z.strictObject({
  packets: z.strictObject({
    received: amount,
    sent: amount,
    emitted: amount.optional().describe("Frames that NFs sent of their own, part of sent; only when there are some."),
    held: amount,
    dropped: z.record(z.string(), amount).describe("By reason; an NF's reasons are <entry>.<reason>."),
    missed: amount.optional().describe("Lost by the interfaces before anybody took them, so not among received; only when there are some."),
    lost_in_failure: amount.optional().describe("Packets that were under way in processes that died; in process mode, and only when there are some."),
    maybe_sent: amount
      .optional()
      .describe(
        "Part of lost_in_failure: a switch that died was handing them to an interface, so they may have left; 64 a death at most, only when there are some.",
      ),
  }),
  flows: z.array(flowSchema).describe("All flows of the run, those that ended included, in order of their first packet."),
  flows_omitted: amount.optional().describe("Ended flows of a long run that were not kept; only when there are some."),
  faults: z.array(faultSchema),
  runtimes: z.array(runtimeSchema).optional().describe("Who has done what, the virtual switch first; only in switched mode."),
});

export type FlowJson = z.output<typeof flowSchema>;
export type FaultJson = z.output<typeof faultSchema>;
export type RunResult = z.output<typeof runResultSchema>;
export type FlowKeyJson = FlowJson["key"];
