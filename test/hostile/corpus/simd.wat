;; Vector instructions.
(func (export "init") (v128.store (i32.const {{area.module}}) (i32x4.splat (i32.const 1))))
