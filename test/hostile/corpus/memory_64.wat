;; Addresses of 64 bits.
(memory (export "memory") i64 32769 32769)
(func $forward_64 (param i32))
(func (export "process-burst") (param $n i32) (call $forward_64 (local.get $n)))
