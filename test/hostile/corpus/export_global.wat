;; Lets the host's world see a variable of its own.
(global $g (export "flag") (mut i32) (i32.const 0))
