;; Two function tables.
(table $a 1 1 funcref)
(table $b 1 1 funcref)
