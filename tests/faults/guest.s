/* SPDX-License-Identifier: Apache-2.0 */
/* A guest in 512 bytes that behaves like one with an operating system, as far as the host can see: it boots, says that it
 * is up, and goes down when the power button is pressed. On letters typed into its serial line it does what guests do at
 * night: P panics, R resets, S powers itself off, D is deaf to the button from then on, H hangs, F floods the line, L says once
 * more that it is up: what it said while no daemon listened is lost. W writes 8 MiB to its disk, T reads a little of it,
 * and both say how that went. */
	.code16
.globl _start
_start:
  ljmp $0, $start
start:
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $0x7c00, %sp
  movb %dl, drive        /* the BIOS's number of the disk it was loaded from */
  sti
  movw $0x3f9, %dx
  outb %al, %dx          /* no UART interrupts */
  movw $0x602, %dx
  movw $0x100, %ax
  outw %ax, %dx          /* PM1_EN: the power button, without which its press leaves no trace */
hello:
  movw $msg, %si
print:
  lodsb
  testb %al, %al
  jz wait
  call putc
  jmp print
wait:
  testb $1, deaf
  jnz keys
  movw $0x600, %dx       /* PM1_STS */
  inw %dx, %ax
  testw $0x100, %ax
  jnz off
keys:
  movw $0x3fd, %dx
  inb %dx, %al
  testb $1, %al
  jnz got
  hlt
  jmp wait
got:
  movw $0x3f8, %dx
  inb %dx, %al
  cmpb $'F', %al
  je flood
  cmpb $'R', %al
  je reset
  cmpb $'S', %al
  je off
  cmpb $'P', %al
  je panic
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
flood:
  movb $'A', %al
more:
  call putc
  incb %al
  andb $0x5f, %al
  orb $0x40, %al
  jmp more
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
reset:
  movb $6, %al
  movw $0xcf9, %dx
  outb %al, %dx
  jmp wait
off:
  movw $0x2000, %ax
  movw $0x604, %dx
  outw %ax, %dx
  jmp wait
panic:
  movb $1, %al
  movw $0x505, %dx
  outb %al, %dx
  jmp wait
putc:
  movb %al, %ah
  movw $0x3fd, %dx
1: inb %dx, %al
  testb $0x20, %al
  jz 1b
  movw $0x3f8, %dx
  movb %ah, %al
  outb %al, %dx
  ret
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
