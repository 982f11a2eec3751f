;; Asks with each packet to be moved, to a runtime that does not exist.
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store16 offset={{record.result.flags}} (local.get $result) (i32.const {{flag.ASK_MIGRATE}}))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
(func (export "migration-target") (param i32 i32 i32 i32) (result i32) (i32.const -1))
