;; Unwinds the stack by itself.
(tag $oops)
(func (export "init") (throw $oops))
