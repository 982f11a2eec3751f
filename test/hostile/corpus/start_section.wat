;; Runs code before the host has set anything up: at instantiation.
(global $ran (mut i32) (i32.const 0))
(func $early (global.set $ran (i32.const 1)))
(start $early)
