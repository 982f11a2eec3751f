;; Writes half of its slot before it traps.
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store (i32.load offset={{record.descriptor.state}} (local.get $descriptor)) (i32.const -1))
  (unreachable))
