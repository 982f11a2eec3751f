;; As slow as it can be without being stopped: ten thousand rounds for each packet.
(func $packet (param $result i32) (param $descriptor i32) (local $i i32)
  (loop $l
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $l (i32.lt_u (local.get $i) (i32.const 10000))))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
