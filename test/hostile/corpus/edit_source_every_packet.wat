;; A forged source address, another one for each packet: only the first may fix what the flow looks like outside.
(func $packet (param $result i32) (param $descriptor i32) (local $ip i32)
  (local.set $ip (i32.add (i32.load (local.get $descriptor)) (i32.load16_u offset={{record.descriptor.l3_offset}} (local.get $descriptor))))
  (i32.store8 offset=15 (local.get $ip) (i32.add (i32.const 100) (i32.load offset={{record.descriptor.sequence}} (local.get $descriptor))))
  (i32.store16 offset={{record.result.flags}} (local.get $result) (i32.const {{flag.MODIFIED_HEADER}}))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
