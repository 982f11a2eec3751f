;; Made for an ABI that this host does not run.
(func (export "abi-version") (result i32) (i32.const 2))
