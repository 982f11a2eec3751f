;; An endless loop that touches neither memory nor calls: no place to be stopped at by accident.
(func $packet (param $result i32) (param $descriptor i32) (local $x i64)
  (local.set $x (i64.const 88172645463325252))
  (loop $l
    (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
    (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
    (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
    (br_if $l (i64.ne (local.get $x) (i64.const 0)))))
