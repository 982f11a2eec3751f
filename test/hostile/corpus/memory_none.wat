;; No memory at all.
(module
  (func (export "abi-version") (result i32) (i32.const 1))
  (func (export "state-bytes") (result i32) (i32.const 8))
  (func (export "state-version") (result i32) (i32.const 0))
  (func (export "init"))
  (func (export "configure") (param i32 i32) (result i32) (i32.const 0))
  (func (export "process-burst") (param i32))
  (func (export "flow-close") (param i32 i32 i32)))
