;; Calls itself until the stack ends.
(func $deeper (param $n i32) (result i32)
  (i32.add (call $deeper (i32.add (local.get $n) (i32.const 1))) (i32.const 1)))
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store8 (local.get $result) (call $deeper (i32.const 0))))
