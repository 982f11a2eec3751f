;; Changes the header of each packet and keeps it secret: the change must not leave, nor be seen by the next NF.
(func $packet (param $result i32) (param $descriptor i32) (local $header i32)
  (local.set $header (i32.load (local.get $descriptor)))
  (i32.store8 offset=0 (local.get $header) (i32.const 0xff))
  (i32.store8 offset=30 (local.get $header) (i32.const 0xff))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
