;; Offers the allocator that component glue would call.
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
