;; Takes all the heap that an NF may have, and touches each page of it at once.
(func (export "init") (local $at i32)
  (local.set $at (i32.const {{area.module}}))
  (loop $l
    (i32.store (local.get $at) (i32.const 1))
    (local.set $at (i32.add (local.get $at) (i32.const 4096)))
    (br_if $l (i32.lt_u (local.get $at) (i32.const {{area.module.end}})))))
