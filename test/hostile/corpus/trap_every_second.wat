;; Traps on each packet of an odd sequence number.
(func $packet (param $result i32) (param $descriptor i32)
  (if (i32.and (i32.load offset={{record.descriptor.sequence}} (local.get $descriptor)) (i32.const 1)) (then (unreachable)))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
