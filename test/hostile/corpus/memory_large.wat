;; More heap than any NF may have.
(memory (export "memory") 65536 65536)
