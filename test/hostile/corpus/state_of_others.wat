;; Overwrites a page of slots, its own and those of other flows: it hurts itself alone.
(func $packet (param $result i32) (param $descriptor i32) (local $at i32)
  (local.set $at (i32.const {{area.state}}))
  (loop $l
    (i64.store (local.get $at) (i64.const -1))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $l (i32.lt_u (local.get $at) (i32.add (i32.const {{area.state}}) (i32.const 4096)))))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
