;; Static data at an address that is not known before it runs.
(global $where i32 (i32.const {{area.module}}))
(data (global.get $where) "abcd")
