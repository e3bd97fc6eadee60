/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the page's file into the program: there is nothing to be found, read or changed beside it.
 */
#include "cli/page.h"

__asm__(".pushsection .rodata.page, \"a\"\n"
	".global page_html\n"
	"page_html:\n"
	".incbin \"units/status.html\"\n"
	".byte 0\n"
	".popsection\n");
