;; Answers everything, then never returns: which packet is to blame?
(func (export "process-burst") (param $n i32)
  (call $forward (local.get $n))
  (loop $l (br $l)))
