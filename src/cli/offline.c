/* SPDX-License-Identifier: Apache-2.0 */
/* The program mediakitd-offline: the verbs that need no daemon, and libraries the command does
 * without. */
#include "base/macro.h"
#include "cli/bake.h"
#include "cli/check.h"
#include "cli/decode.h"
#include "cli/deploy.h"
#include "cli/import.h"
#include "cli/preflight.h"
#include "cli/provision.h"
#include "cli/replay.h"
#include "cli/verb.h"
#include "cli/xml.h"

static const struct verb verbs[] = {
	{ "provision", "make a guest's disk and seed", verb_provision, usage_provision },
	{ "import-predecessor", "take over the disk that a shell script left", verb_import,
		usage_import },
	{ "bake", "make a guest's image from packages", verb_bake, usage_bake },
	{ "deploy", "take a service's program to a guest", verb_deploy, usage_deploy },
	{ "preflight", "tell whether programs would run in a guest", verb_preflight,
		usage_preflight },
	{ "check", "find every fault of the configuration", verb_check, NULL },
	{ "xml", "print a guest as libvirt is told of it", verb_xml, usage_xml },
	{ "balloon", "run the memory policy over a trace", verb_replay, usage_replay },
	{ "decode", "print a health report as JSON", verb_decode, usage_decode },
};

int main(int argc, char **argv)
{
	return verb_main(verbs, ARRAY_SIZE(verbs),
		"The offline verbs of mediakitd; call them as `mediakitd VERB`.", argc, argv);
}
