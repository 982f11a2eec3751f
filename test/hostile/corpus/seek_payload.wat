;; Searches all memory that it may read for the bytes "SeCrEt42", which the test puts into payloads only; counts finds in counter 0.
(func $search (param $from i32) (param $to i32)
  (loop $l
    (if (i64.eq (i64.load (local.get $from)) (i64.const 0x3234744572436553))
      (then (i64.store (i32.const {{result.counters}}) (i64.add (i64.load (i32.const {{result.counters}})) (i64.const 1)))))
    (local.set $from (i32.add (local.get $from) (i32.const 1)))
    (br_if $l (i32.lt_u (local.get $from) (i32.sub (local.get $to) (i32.const 7))))))
(func (export "process-burst") (param $n i32)
  (call $search (i32.const {{area.call}}) (i32.const {{area.call.end}}))
  (call $search (i32.const {{area.result}}) (i32.const {{area.result.end}}))
  (call $search (i32.const {{area.header}}) (i32.const {{area.header.end}}))
  (call $search (i32.const {{area.state}}) (i32.add (i32.const {{area.state}}) (i32.const 4096)))
  (call $search (i32.const {{area.module}}) (i32.const {{area.module.end}}))
  (call $forward (local.get $n)))
