;; Writes the bits of 0/0 to its state: they must be the same on every processor.
(func $packet (param $result i32) (param $descriptor i32)
  (f64.store (i32.load offset={{record.descriptor.state}} (local.get $descriptor)) (f64.div (f64.const 0) (f64.const 0)))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
