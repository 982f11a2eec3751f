;; Wants a megabyte for each flow.
(func (export "state-bytes") (result i32) (i32.const 1048576))
