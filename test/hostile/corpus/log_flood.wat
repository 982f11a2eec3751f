;; A hundred thousand log lines for each call.
(func (export "process-burst") (param $n i32) (local $i i32) (local $record i32)
  (loop $l
    (local.set $record (i32.add (i32.const {{result.log_records}}) (i32.shl (i32.and (local.get $i) (i32.const 15)) (i32.const 8))))
    (i32.store8 (local.get $record) (i32.const 3))
    (i32.store16 offset={{record.log_record.length}} (local.get $record) (i32.const 4))
    (i32.store offset={{record.log_record.sequence}} (local.get $record) (local.get $i))
    (i32.store offset={{record.log_record.text}} (local.get $record) (i32.const 0x00680068))
    (i32.store (i32.const {{result.log_ring}}) (i32.add (i32.load (i32.const {{result.log_ring}})) (i32.const 1)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $l (i32.lt_u (local.get $i) (i32.const 100000))))
  (call $forward (local.get $n)))
