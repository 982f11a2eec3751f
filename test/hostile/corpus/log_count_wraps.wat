;; Says that it wrote 4 billion lines, then none, then more again.
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store (i32.const {{result.log_ring}})
    (select (i32.const -1) (i32.const 0) (i32.and (i32.load offset={{record.descriptor.sequence}} (local.get $descriptor)) (i32.const 1))))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
