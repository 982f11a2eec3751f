;; Wants its flows to live for 49 days.
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store offset={{record.result.timeout}} (local.get $result) (i32.const -1))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
