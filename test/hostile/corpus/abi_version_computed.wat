;; A version that depends on who asks.
(global $asked (mut i32) (i32.const 0))
(func (export "abi-version") (result i32)
  (global.set $asked (i32.add (global.get $asked) (i32.const 1)))
  (global.get $asked))
