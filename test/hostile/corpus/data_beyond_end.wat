;; Static data that ends behind the memory.
(data (i32.const 0x8000fffe) "abcd")
