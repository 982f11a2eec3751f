;; Wants a value that only the host knows.
(import "env" "base" (global $base i32))
