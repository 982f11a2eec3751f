// What assert, throw and the language's own checks end in: the fault record is written, then the call traps. No import is needed.
//
// Texts are UTF-16LE, cut to what the record holds; their byte length stands 4 bytes before a string.
import { FAULT_RECORD_ADDRESS, FAULT_RECORD_FILE_OFFSET, FAULT_RECORD_MESSAGE_OFFSET, FAULT_TEXT_BYTES_MAX, FaultRecord } from "./abi";

function copyText(text: usize, to: usize): u32 {
  if (text == 0) return 0;
  const bytes = min<u32>(load<u32>(text - 4), FAULT_TEXT_BYTES_MAX);
  for (let i: usize = 0; i < <usize>bytes; i += 2) store<u16>(to + i, load<u16>(text + i));
  return bytes;
}

export function sdkAbort(message: usize, file: usize, line: u32, column: u32): void {
  const record = changetype<FaultRecord>(FAULT_RECORD_ADDRESS);
  record.line = line;
  record.column = column;
  record.message_length = <u16>copyText(message, FAULT_RECORD_ADDRESS + FAULT_RECORD_MESSAGE_OFFSET);
  record.file_length = <u16>copyText(file, FAULT_RECORD_ADDRESS + FAULT_RECORD_FILE_OFFSET);
  record.is_set = 1;
  unreachable();
}
