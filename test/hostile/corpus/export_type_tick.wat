;; An optional export of another type: the host would pass half a number.
(func (export "tick") (param i32))
