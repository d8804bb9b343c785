;; Memory, and how the host gets room in it: whatever is asked for stands behind what was given before.
(memory (export "memory") 1)
(global $top (mut i32) (i32.const 8192))
(func $realloc (export "cabi_realloc")
  (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
  (local $at i32) (local $short i32)
  (local.set $at
    (i32.and
      (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
  (global.set $top (i32.add (local.get $at) (local.get $size)))
  (local.set $short
    (i32.sub
      (i32.shr_u (i32.add (global.get $top) (i32.const 65535)) (i32.const 16))
      (memory.size)))
  (if (i32.gt_s (local.get $short) (i32.const 0))
    (then (if (i32.eq (memory.grow (local.get $short)) (i32.const -1)) (then unreachable))))
  (local.get $at))
;; Where results are written: 256 bytes from 256 on.
;; A fault, by its place.
(func $fault (param $which i32) (result i32)
  (i32.store8 (i32.const 256) (i32.const 1))
  (i32.store8 (i32.const 260) (local.get $which))
  (i32.const 256))
;; A list of numbers.
(func $given (param $at i32) (param $length i32) (result i32)
  (i32.store8 (i32.const 256) (i32.const 0))
  (i32.store (i32.const 260) (local.get $at))
  (i32.store (i32.const 264) (local.get $length))
  (i32.const 256))
