;; Loops in loops of many rounds: each inner one is short.
(func $packet (param $result i32) (param $descriptor i32) (local $i i64) (local $j i32)
  (loop $outer
    (local.set $j (i32.const 0))
    (loop $inner
      (local.set $j (i32.add (local.get $j) (i32.const 1)))
      (br_if $inner (i32.lt_u (local.get $j) (i32.const 100))))
    (local.set $i (i64.add (local.get $i) (i64.const 1)))
    (br_if $outer (i64.ne (local.get $i) (i64.const 0)))))
