/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the scripts of src/bake into the program: there is nothing to be installed beside it. */
#include "cli/bake.h"

#define TAKE(symbol, path)                                                                         \
	extern const char symbol[], symbol##_end[];                                                \
	__asm__(".pushsection .rodata.bake, \"a\"\n" #symbol ":\n"                                 \
		".incbin \"" path "\"\n" #symbol "_end:\n"                                         \
		".byte 0\n"                                                                        \
		".popsection\n")

TAKE(bake_script, "src/bake/bake");
TAKE(bake_image, "src/bake/image.sh");
TAKE(bake_customize, "src/bake/customize");
TAKE(bake_init, "src/bake/init");

const struct bake_file bake_files[] = {
	{ "bake", bake_script, bake_script_end },
	{ "image.sh", bake_image, bake_image_end },
	{ "customize", bake_customize, bake_customize_end },
	{ "init", bake_init, bake_init_end },
	{ NULL, NULL, NULL },
};
