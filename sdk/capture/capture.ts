/**
 * A capture file in memory: its records as packets, and what is needed to write a file of the same format back.
 *
 * A file is read whole before anything is done with it, so that a damaged one is refused before the first packet leaves. Records keep what
 * the file said about them beside what it means: a record that nothing changed is written back bit for bit.
 */

/** One packet of a capture. */
export interface CaptureRecord {
  /** Nanoseconds since the epoch. */
  timestampNs: bigint;
  /** The bytes of the frame that were captured; a view of the file. */
  bytes: Uint8Array;
  /** Length of the frame on the wire; never below the captured length. */
  wireLength: number;
  source: RecordSource;
}

/** What a record said in its own words. */
export interface RecordSource {
  /** Classic: seconds and fraction as the file has them. pcapng: the 64-bit count of units, and the number of its interface in its section. */
  high: number;
  low: number;
  /** As in the file, even where it is below the captured length. */
  originalLength: number;
  /** pcapng: interface of the section, and the number of blocks of `Capture.blocks` that come before the record. Classic: 0. */
  interface: number;
  blocksBefore: number;
}

/** A section header or interface description block as it was read. */
export interface CopiedBlock {
  bytes: Uint8Array;
  bigEndian: boolean;
}

export interface Capture {
  format: "pcap" | "pcapng";
  records: CaptureRecord[];
  /** Classic: the 24 bytes of the file header. */
  header: Uint8Array;
  bigEndian: boolean;
  /** pcapng: section and interface blocks, in order. */
  blocks: CopiedBlock[];
}

/** A frame to be written in place of a record, or behind it. */
export interface OutputFrame {
  record: CaptureRecord;
  bytes: Uint8Array;
  wireLength: number;
}

/** The only link type that is read. */
export const LINKTYPE_ETHERNET = 1;
/** Largest record that any capture program writes; a longer one means that the file is damaged. */
export const RECORD_BYTES_MAX = 262_144;

/** What the output says the original length was: as in the input, moved by as much as the wire length has changed. */
export function originalLength({ record, wireLength }: OutputFrame): number {
  return Math.max(0, record.source.originalLength + wireLength - record.wireLength);
}
