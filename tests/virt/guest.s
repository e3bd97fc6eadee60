/* SPDX-License-Identifier: Apache-2.0 */
/* A guest without an operating system: says hello on the serial line, echoes what is typed, and does what all of them do on
 * some letters. */
.include "bootsector.s"
main:
  movw $msg, %si
  jmp print
other:
  call putc
wait:
  jmp keys
msg: .asciz "MEDIAKIT-BOOT\r\n"
.org 510
.byte 0x55, 0xaa
