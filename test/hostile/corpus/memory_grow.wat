;; Asks for more memory, and traps if it gets any.
(func (export "init")
  (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
  (if (i32.ne (memory.grow (i32.const 32766)) (i32.const -1)) (then (unreachable))))
(func $packet (param $result i32) (param $descriptor i32)
  (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
