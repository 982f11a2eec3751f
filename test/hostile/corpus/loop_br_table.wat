;; Jumps about through a br_table for ever.
(func $packet (param $result i32) (param $descriptor i32) (local $x i32)
  (loop $top
    (block $c (block $b (block $a
      (br_table $a $b $c $top (i32.and (local.get $x) (i32.const 3))))
      (local.set $x (i32.add (local.get $x) (i32.const 1))) (br $top))
      (local.set $x (i32.add (local.get $x) (i32.const 1))) (br $top))
    (local.set $x (i32.add (local.get $x) (i32.const 1)))
    (br $top)))
