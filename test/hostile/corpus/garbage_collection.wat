;; Makes the host collect its garbage.
(type $pair (struct (field i32) (field i32)))
(func (export "init") (drop (struct.new $pair (i32.const 1) (i32.const 2))))
