;; Data that is copied at run time.
(data $secret "0123456789")
(func (export "init") (memory.init $secret (i32.const {{area.module}}) (i32.const 0) (i32.const 10)))
