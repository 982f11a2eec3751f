;; A memory shared between threads.
(memory (export "memory") 32769 32769 shared)
