;; One instruction that runs for ever, in pieces that nothing can interrupt.
(func (export "init") (memory.fill (i32.const {{area.module}}) (i32.const 0) (i32.const 65536)))
