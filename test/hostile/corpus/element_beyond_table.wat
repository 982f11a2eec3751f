;; Writes functions behind the end of its table.
(table 2 2 funcref)
(func $f)
(elem (i32.const 2) $f)
