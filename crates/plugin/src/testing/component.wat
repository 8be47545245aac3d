;; A component of the world `policy`, whose `judge` does what BODY does. Its memory is a module of its own, since what is imported needs
;; it before there is an instance that could bring one. A call's arguments stand from 1024 on.
(component
  (import "wicketgate:policy/types@1.0.0" (instance $types
    (type $d (enum "to-upstream" "to-client"))
    (export "direction" (type (eq $d)))
    (type $t (enum "text" "binary"))
    (export "data" (type (eq $t)))
    (type $c (option u16))
    (type $r (record (field "reason" string) (field "code" $c)))
    (export "refusal" (type $refusal (eq $r)))
    (type $w (list string))
    (type $b (list u8))
    (type $v (variant
      (case "pass") (case "tag" $w) (case "refuse" $refusal) (case "drop" string) (case "rewrite" $b)))
    (export "verdict" (type (eq $v)))))
  (alias export $types "direction" (type $direction))
  (alias export $types "data" (type $data))
  (alias export $types "verdict" (type $verdict))
  (import "wicketgate:policy/log@1.0.0" (instance $log
    (type $l (enum "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $l)))
    (export "write" (func (param "level" $level) (param "text" string)))))
  (core module $store
    (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (block $fits
        (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
        (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1)))))
      (local.get $at))
    (func (export "reset") (param i32) (global.set $free (i32.const 1024))))
  (core instance $store (instantiate $store))
  (alias core export $store "memory" (core memory $memory))
  (core func $write (canon lower (func $log "write") (memory $memory)))
  (core module $main
    (import "store" "memory" (memory 2))
    (import "host" "write" (func $log (param i32 i32 i32)))
    (data (i32.const 64) "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
    (global $calls (mut i32) (i32.const 0))
    (func $recurse (param i32) (result i32)
      (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
    (func (export "judge")
      (param $direction i32) (param $data i32) (param $kind i32) (param $kind_length i32)
      (param $payload i32) (param $length i32) (result i32)
      (local $at i32)
      BODY))
  (core instance $main (instantiate $main
    (with "store" (instance $store))
    (with "host" (instance (export "write" (func $write))))))
  (func $judge
    (param "direction" $direction) (param "data" $data) (param "kind" string) (param "payload" (list u8))
    (result $verdict)
    (canon lift (core func $main "judge") (memory $memory)
      (realloc (func $store "realloc")) (post-return (func $store "reset"))))
  (export "judge" (func $judge)))
