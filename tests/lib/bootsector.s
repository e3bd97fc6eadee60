/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a guest in 512 bytes, which includes this first: it serves the serial line, and on some letters typed
 * there it does what guests do: F floods the line, R resets, S powers off, P panics. What follows has main, which finds the
 * BIOS's number of the disk in %bl; wait, where all of these come back to; and other, for any other letter, in %al. */
	.code16
.globl _start
_start:
  ljmp $0, $start
start:
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $0x7c00, %sp
  movb %dl, %bl
  sti
  movw $0x3f9, %dx
  outb %al, %dx          /* no UART interrupts */
  jmp main
print:
  lodsb
  testb %al, %al
  jz wait
  call putc
  jmp print
/* Halts between timer ticks. */
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
  jne other
  movb $1, %al
  movw $0x505, %dx
  outb %al, %dx
  jmp wait
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
