;; Asks the host for a function.
(import "env" "abort" (func $abort (param i32 i32 i32 i32)))
(func (export "init") (call $abort (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
