;; A log line longer than its record, of a level that does not exist, with a sequence of its own.
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store8 (i32.const {{result.log_records}}) (i32.const 255))
  (i32.store16 offset={{record.log_record.length}} (i32.const {{result.log_records}}) (i32.const 65535))
  (i32.store offset={{record.log_record.sequence}} (i32.const {{result.log_records}}) (i32.const 12345))
  (i32.store (i32.const {{result.log_ring}}) (i32.const 1))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
