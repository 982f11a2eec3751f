;; A second memory, which the host would not lay out.
(memory (export "memory") 32769 32769)
(memory $other 1 1)
