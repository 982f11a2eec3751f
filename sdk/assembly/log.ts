// Log lines: records in a ring that the host drains at a bounded rate. Nothing is allocated; longer text is cut.
import { LOG_RECORDS, LOG_RECORDS_ADDRESS, LOG_RECORD_BYTES, LOG_RECORD_TEXT_OFFSET, LOG_RING_ADDRESS, LOG_TEXT_BYTES_MAX, LogRecord, LogRing } from "./abi";

function next(level: u32): LogRecord {
  const ring = changetype<LogRing>(LOG_RING_ADDRESS);
  const written = ring.written;
  const record = changetype<LogRecord>(LOG_RECORDS_ADDRESS + <usize>(written % LOG_RECORDS) * LOG_RECORD_BYTES);
  record.level = <u8>level;
  record.sequence = written;
  record.length = 0;
  ring.written = written + 1;
  return record;
}

function append(record: LogRecord, text: string): void {
  const length = <u32>record.length;
  const bytes = min<u32>((<u32>text.length) << 1, LOG_TEXT_BYTES_MAX - length);
  memory.copy(changetype<usize>(record) + LOG_RECORD_TEXT_OFFSET + <usize>length, changetype<usize>(text), <usize>bytes);
  record.length = <u16>(length + bytes);
}

function appendUnit(record: LogRecord, unit: u32): void {
  const length = <u32>record.length;
  if (length + 2 > LOG_TEXT_BYTES_MAX) return;
  store<u16>(changetype<usize>(record) + LOG_RECORD_TEXT_OFFSET + <usize>length, <u16>unit);
  record.length = <u16>(length + 2);
}

function appendNumber(record: LogRecord, value: u64): void {
  let divisor: u64 = 1;
  while (value / divisor >= 10) divisor *= 10;
  for (let rest = value; divisor != 0; divisor /= 10) {
    appendUnit(record, 48 + <u32>(rest / divisor));
    rest %= divisor;
  }
}

/** Writes a line; level is one of LogLevel. At most 124 characters; the host keeps a bounded number of lines a second. */
export function log(level: u32, message: string): void {
  append(next(level), message);
}

/** The same with a number behind the text, without building a string. */
export function logNumber(level: u32, message: string, value: u64): void {
  const record = next(level);
  append(record, message);
  appendNumber(record, value);
}

/** The same with an IPv4 address (host order) behind the text. */
export function logIpv4(level: u32, message: string, address: u32): void {
  const record = next(level);
  append(record, message);
  for (let shift: i32 = 24; shift >= 0; shift -= 8) {
    appendNumber(record, (address >> shift) & 255);
    if (shift > 0) appendUnit(record, 46);
  }
}
