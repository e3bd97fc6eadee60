/* SPDX-License-Identifier: Apache-2.0 */
/* A guest in 512 bytes that behaves like one with an operating system, as far as the host can see: it boots, says that it
 * is up, and goes down when the power button is pressed. On letters typed into its serial line it does what guests do at
 * night: besides what all of them do (bootsector.s), D is deaf to the button from then on, H hangs, L says once more that it
 * is up: what it said while no daemon listened is lost. W writes 8 MiB to its disk, T reads a little of it, and both say how
 * that went. */
.include "bootsector.s"
main:
  movb %bl, drive
  movw $0x602, %dx
  movw $0x100, %ax
  outw %ax, %dx          /* PM1_EN: the power button, without which its press leaves no trace */
hello:
  movw $msg, %si
  jmp print
wait:
  testb $1, deaf
  jnz keys
  movw $0x600, %dx       /* PM1_STS */
  inw %dx, %ax
  testw $0x100, %ax
  jnz off
  jmp keys
other:
  cmpb $'H', %al
  je hang
  cmpb $'L', %al
  je hello
  movw $0x4300, %bx      /* INT 13h extensions: write; 42h: read */
  movw $256, %cx
  cmpb $'W', %al
  je disk
  movb $0x42, %bh
  movw $1, %cx
  cmpb $'T', %al
  je disk
  cmpb $'D', %al
  jne echo
  movb $1, deaf
  movw $0x602, %dx
  xorw %ax, %ax
  outw %ax, %dx
  movb $'d', %al
echo:
  call putc
  jmp wait
hang:
  cli
  hlt
  jmp hang
disk:
  pushw %bx
  pushw %cx
  movw %bx, %ax
  movb drive, %dl
  movw $64, packet+2     /* it becomes the number that was done */
  movw $packet, %si
  int $0x13
  popw %cx
  popw %bx
  movw $failed, %si
  jc print
  addw $64, packet+8
  adcw $0, packet+10
  loop disk
  movw $done, %si
  jmp print
deaf: .byte 0
drive: .byte 0
/* So many sectors, from 1000h:0, at 2 MiB and on. */
packet: .byte 16, 0
  .word 64, 0, 0x1000
  .quad 4096
done: .asciz "disk: done\r\n"
failed: .asciz "disk: failed\r\n"
msg: .asciz "Linux version 0\r\nsystemd[1]: nothing to do\r\nmediakit login: "
.org 510
.byte 0x55, 0xaa
