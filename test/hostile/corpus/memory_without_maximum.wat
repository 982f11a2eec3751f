;; Sets no bound on its memory.
(memory (export "memory") 32769)
