;; Fills all emit records although no frame was granted: they are not read, and nothing leaves.
(func $packet (param $result i32) (param $descriptor i32) (local $i i32)
  (loop $l
    (i32.store (i32.add (i32.const {{result.emit_records}}) (i32.shl (local.get $i) (i32.const 4))) (i32.const {{area.emit}}))
    (i32.store16 offset={{record.emit_record.length}} (i32.add (i32.const {{result.emit_records}}) (i32.shl (local.get $i) (i32.const 4))) (i32.const 60))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $l (i32.lt_u (local.get $i) (i32.const {{limit.emits_per_burst_max}}))))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
