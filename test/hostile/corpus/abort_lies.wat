;; A fault record whose lengths are longer than the record, at a line of 4 billion.
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store (i32.const {{result.fault_record}}) (i32.const 1))
  (i32.store offset={{record.fault_record.line}} (i32.const {{result.fault_record}}) (i32.const -1))
  (i32.store offset={{record.fault_record.column}} (i32.const {{result.fault_record}}) (i32.const -1))
  (i32.store16 offset={{record.fault_record.message_length}} (i32.const {{result.fault_record}}) (i32.const 65535))
  (i32.store16 offset={{record.fault_record.file_length}} (i32.const {{result.fault_record}}) (i32.const 65535))
  (unreachable))
