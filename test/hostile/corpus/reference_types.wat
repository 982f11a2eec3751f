;; Holds references of the host.
(table $things 1 externref)
(func (export "init") (drop (table.get $things (i32.const 0))))
