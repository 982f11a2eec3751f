;; A table that takes the host's memory.
(table $t 1000000 funcref)
