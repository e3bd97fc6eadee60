/* SPDX-License-Identifier: Apache-2.0 */
/* A guest in 512 bytes that behaves like one with an operating system, as far as the host can see: it boots, says that it
 * is up, and goes down when the power button is pressed. On letters typed into its serial line it does what guests do at
 * night: P panics, R resets, S powers itself off, D is deaf to the button from then on, H hangs, F floods the line, L says once
 * more that it is up: what it said while no daemon listened is lost. */
	.code16
.globl _start
_start:
  ljmp $0, $start
start:
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $0x7c00, %sp
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
msg: .asciz "Linux version 0\r\nsystemd[1]: nothing to do\r\nmediakit login: "
.org 510
.byte 0x55, 0xaa
