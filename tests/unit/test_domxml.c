/* SPDX-License-Identifier: Apache-2.0 */
/* The domain XML against golden files, and what hostile values become in it.
 * UPDATE_GOLDEN=1 writes the files anew; a person reads the difference. */
/* LINK: base/file base/time model/utf8 model/spec base/memstream model/xmlwriter model/domxml */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/macro.h"
#include "model/domxml.h"
#include "model/xmlwriter.h"

#define GOLDEN_MAX 65536u

static struct guest_spec mediakit(void)
{
	static char name[] = "vm-mediakit", bind[] = "127.0.0.1";
	static const uint16_t ports[] = { 9090, 9092, 9093, 9095, 9096, 9100, 9101, 9102, 0, 0 };
	struct guest_spec g = {
		.name = name,
		.memory_kib = 6144 * 1024,
		.cpus = 2,
		.bind = bind,
		.ssh_port = 10022,
		.n_services = ARRAY_SIZE(ports),
	};

	spec_uuid(name, g.uuid);
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		g.services[i].port = ports[i];
		g.services[i].host_port = ports[i] ? (uint16_t)(ports[i] + 10000) : 0;
	}
	return g;
}

static const struct domxml_paths paths = {
	.disk = "/var/lib/mediakitd/images/vm-mediakit/disk.qcow2",
	.seed = "/var/lib/mediakitd/images/vm-mediakit/seed.iso",
};

static void compare(const char *file, const char *xml)
{
	CLEANUP_FREE char *path = path_join("tests/golden", file);
	CLEANUP_FREE char *golden = NULL;

	if (getenv("UPDATE_GOLDEN"))
		assert_int_equal(file_write_atomic(path, xml, strlen(xml), 0644), 0);
	int r = file_read(path, GOLDEN_MAX, &golden, NULL);
	if (r < 0)
		fail_msg("%s: %s (run from the top of the tree)", path, strerror(-r));
	assert_string_equal(xml, golden);
}

static void build_and_compare(
	const char *file, const struct guest_spec *guest, const struct domxml_paths *p, bool kvm)
{
	CLEANUP_FREE char *xml = NULL;

	assert_int_equal(domxml_build(guest, p, kvm, &xml), 0);
	compare(file, xml);
}

static void the_guest(void **state)
{
	struct guest_spec guest = mediakit();

	(void)state;
	build_and_compare("vm-mediakit.xml", &guest, &paths, false);
}

static void open_on_kvm(void **state)
{
	static char bind[] = "192.0.2.7";
	struct guest_spec guest = mediakit();

	(void)state;
	guest.bind = bind;
	guest.egress = EGRESS_ALL;
	guest.n_services = 2;
	build_and_compare("kvm-open.xml", &guest, &paths, true);
}

static void direct_kernel(void **state)
{
	static char cmdline[] = "root=LABEL=root rw console=ttyS0";
	struct guest_spec guest = mediakit();
	struct domxml_paths p = paths;

	(void)state;
	guest.cmdline = cmdline;
	p.kernel = "/var/lib/mediakitd/images/vm-mediakit/vmlinuz";
	p.initrd = "/var/lib/mediakitd/images/vm-mediakit/initrd";
	p.qmp_socket = "/run/mediakitd/test.qmp";
	p.tb_cache_mib = 256;
	build_and_compare("direct-kernel.xml", &guest, &p, false);
}

static void aarch64(void **state)
{
	static char name[] = "vm-sel4", kernel[] = "/srv/loader.img";
	struct guest_spec guest = mediakit();
	struct domxml_paths p = paths;

	(void)state;
	guest.name = name;
	guest.arch = ARCH_AARCH64;
	guest.kernel = kernel;
	p.kernel = kernel;
	guest.memory_kib = 2 * 1024 * 1024;
	spec_uuid(name, guest.uuid);
	build_and_compare("aarch64-kernel.xml", &guest, &p, false);
}

/* What a configuration could say if its own checks had a hole. */
static void hostile(void **state)
{
	static char name[] = "a'b\"<c>&d",
		    cmdline[] = "x='1' && \"</cmdline><devices>\" \t\n\xc3\xa9";
	static char bind[] = "127.0.0.1:1-:2,restrict=off";
	struct guest_spec guest = mediakit();
	const struct domxml_paths p = {
		.disk = "/a b/'><source file='/etc/shadow'/>.qcow2",
		.seed = "/&amp;.iso",
		.kernel = "/k",
		.initrd = "/]]>",
		.qmp_socket = "/tmp/a,server=off,\"b",
	};

	(void)state;
	guest.name = name;
	guest.cmdline = cmdline;
	guest.bind = bind;
	guest.n_services = 1;
	build_and_compare("hostile.xml", &guest, &p, false);
}

static size_t occurrences(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

static void forwards(void **state)
{
	static char all[] = "0.0.0.0", loopback[] = "127.0.0.1", other[] = "10.8.0.1";
	static const struct {
		char *bind;
		const char *address;
		size_t n_address, n_loopback;
	} rows[] = {
		{ loopback, "hostfwd=tcp:127.0.0.1:", 9, 9 },
		{ all, "hostfwd=tcp:0.0.0.0:", 9, 0 },
		{ other, "hostfwd=tcp:10.8.0.1:", 9, 9 },
		{ NULL, "hostfwd=tcp:127.0.0.1:", 9, 9 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guest_spec guest = mediakit();
		CLEANUP_FREE char *xml = NULL;

		guest.bind = rows[i].bind;
		assert_int_equal(domxml_build(&guest, &paths, false, &xml), 0);
		assert_int_equal(occurrences(xml, rows[i].address), rows[i].n_address);
		assert_int_equal(occurrences(xml, "hostfwd=tcp:127.0.0.1:"), rows[i].n_loopback);
		assert_int_equal(occurrences(xml, ":10022-:22"), rows[i].bind == other ? 2 : 1);
	}
}

static void no_ssh_no_ports(void **state)
{
	struct guest_spec guest = mediakit();
	CLEANUP_FREE char *xml = NULL;

	(void)state;
	guest.ssh_port = 0;
	guest.n_services = 0;
	assert_int_equal(domxml_build(&guest, &paths, false, &xml), 0);
	assert_non_null(strstr(xml, "'user,id=mediakit0,ipv6=off,restrict=on'"));
}

static void refusals(void **state)
{
	static char controls[] = "a\033b", latin[] = "caf\xe9", noncharacter[] = "a\xef\xbf\xbf";
	char *const bad[] = { controls, latin, noncharacter };
	char untouched[] = "untouched", *xml = untouched;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct guest_spec guest = mediakit();

		guest.name = bad[i];
		assert_int_equal(domxml_build(&guest, &paths, false, &xml), -EINVAL);
		guest = mediakit();
		guest.bind = bad[i];
		assert_int_equal(domxml_build(&guest, &paths, false, &xml), -EINVAL);
	}
	struct guest_spec guest = mediakit();
	guest.arch = ARCH_AARCH64;
	assert_int_equal(domxml_build(&guest, &paths, false, &xml), -EOPNOTSUPP);
	guest = mediakit();
	guest.uuid[35] = '\0';
	assert_int_equal(domxml_build(&guest, &paths, false, &xml), -EINVAL);
	guest = mediakit();
	guest.cpus = 0;
	assert_int_equal(domxml_build(&guest, &paths, false, &xml), -EINVAL);
	assert_ptr_equal(xml, untouched);
}

static void macs(void **state)
{
	struct guest_spec a = mediakit();
	char mac[DOMXML_MAC_TEXT];

	(void)state;
	strcpy(a.uuid, "00000000-0000-8000-8000-0123456789ab");
	domxml_mac(&a, mac);
	assert_string_equal(mac, "52:54:00:67:89:ab");
}

static void writer(void **state)
{
	struct xmlwriter w;
	CLEANUP_FREE char *xml = NULL;
	char *none = NULL;

	(void)state;
	xmlwriter_begin(&w);
	xmlwriter_open(&w, "a");
	xmlwriter_attrf(&w, "n", "%d<", 7);
	xmlwriter_attr(&w, "absent", NULL);
	xmlwriter_empty(&w, "b", NULL, NULL);
	xmlwriter_leaf(&w, "c", "");
	xmlwriter_open(&w, "d");
	xmlwriter_leaf(&w, "e", "]]>\r");
	xmlwriter_close(&w);
	xmlwriter_close(&w);
	assert_int_equal(xmlwriter_end(&w, &xml), 0);
	assert_string_equal(xml, "<a n='7&lt;'>\n  <b/>\n  <c></c>\n  <d>\n"
				 "    <e>]]&gt;&#13;</e>\n  </d>\n</a>\n");

	xmlwriter_begin(&w);
	for (unsigned i = 0; i <= XMLWRITER_DEPTH_MAX; i++)
		xmlwriter_open(&w, "a");
	assert_int_equal(xmlwriter_end(&w, &none), -EOVERFLOW);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_guest),
		cmocka_unit_test(open_on_kvm),
		cmocka_unit_test(direct_kernel),
		cmocka_unit_test(aarch64),
		cmocka_unit_test(hostile),
		cmocka_unit_test(forwards),
		cmocka_unit_test(no_ssh_no_ports),
		cmocka_unit_test(refusals),
		cmocka_unit_test(macs),
		cmocka_unit_test(writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
