;; Never deep, and never done: 2^60 calls.
(func $both (param $n i32) (result i32)
  (if (result i32) (i32.eqz (local.get $n))
    (then (i32.const 1))
    (else (i32.add (call $both (i32.sub (local.get $n) (i32.const 1))) (call $both (i32.sub (local.get $n) (i32.const 1)))))))
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store8 (local.get $result) (call $both (i32.const 60))))
