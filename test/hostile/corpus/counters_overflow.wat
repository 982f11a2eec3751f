;; All counters at their largest value.
(func $packet (param $result i32) (param $descriptor i32) (local $i i32)
  (loop $l
    (i64.store (i32.add (i32.const {{result.counters}}) (i32.shl (local.get $i) (i32.const 3))) (i64.const -1))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $l (i32.lt_u (local.get $i) (i32.const {{limit.counters_max}}))))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
