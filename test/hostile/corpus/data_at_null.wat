;; Static data where nothing is mapped.
(data (i32.const 0) "null is mine")
