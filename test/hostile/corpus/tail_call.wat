;; An endless loop without a loop and without a stack.
(func $again (return_call $again))
(func (export "init") (call $again))
