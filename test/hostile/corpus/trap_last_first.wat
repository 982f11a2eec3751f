;; Answers the packets in reverse and traps on the first: the answers behind the blamed packet must not count.
(func (export "process-burst") (param $n i32) (local $i i32)
  (local.set $i (local.get $n))
  (block $done (loop $l
    (br_if $done (i32.le_u (local.get $i) (i32.const 1)))
    (local.set $i (i32.sub (local.get $i) (i32.const 1)))
    (i32.store8 (i32.add (i32.const {{result.results}}) (i32.shl (local.get $i) (i32.const 4))) (i32.const {{verdict.FORWARD}}))
    (br $l)))
  (unreachable))
