;; Accepts no configuration.
(func (export "configure") (param i32 i32) (result i32) (i32.const 7))
