;; Declares that its memory may grow to the whole address space.
(memory (export "memory") 32769 65536)
(func (export "init") (drop (memory.grow (i32.const 1000))))
