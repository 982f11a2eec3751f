;; Changes the destination MAC address, which no right covers.
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store8 (i32.load (local.get $descriptor)) (i32.const 0xfe))
  (i32.store16 offset={{record.result.flags}} (local.get $result) (i32.const {{flag.MODIFIED_HEADER}}))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
