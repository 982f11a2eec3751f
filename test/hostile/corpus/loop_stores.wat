;; Answers the same packet for ever.
(func $packet (param $result i32) (param $descriptor i32)
  (loop $l
    (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}}))
    (br $l)))
