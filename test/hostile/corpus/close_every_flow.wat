;; Ends each flow with each packet, so that the next one has to be opened anew.
(func $packet (param $result i32) (param $descriptor i32)
  (i32.store16 offset={{record.result.flags}} (local.get $result) (i32.const {{flag.CLOSE_FLOW}}))
  (i32.store8 (local.get $result) (i32.const {{verdict.FORWARD}})))
