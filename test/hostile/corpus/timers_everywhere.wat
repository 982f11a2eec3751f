;; Arms a timer of 1 ms for each flow, again and again.
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store16 offset={{record.result.flags}} (local.get $result) (i32.const {{flag.ARM_TIMER}}))
  (i32.store offset={{record.result.timeout}} (local.get $result) (i32.const 1))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
(func (export "flow-timer") (param i32 i32 i64))
