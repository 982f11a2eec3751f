;; Exports what some runtimes call by themselves.
(func (export "_initialize"))
(func (export "_start"))
