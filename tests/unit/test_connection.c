/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection to libvirt asks before it is up. The connections themselves are the test's. */
/* LINK: base io/worker virt/connection virt/mailbox model/utf8 */
/* LIBS: libsystemd libvirt */
#include "virt/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE (10 * USEC_PER_SEC)

/* libvirt, and the links to it ---- */

static struct {
	bool has_kvm;
	unsigned asked, dies; /* under so many questions */
	bool alive;
} lv;

static struct link the_link;
struct links {
	int none;
} the_links;

char *virConnectGetDomainCapabilities(virConnectPtr conn, const char *emulator, const char *arch,
	const char *machine, const char *virttype, unsigned flags)
{
	(void)conn, (void)emulator, (void)arch, (void)machine, (void)flags;
	assert_string_equal(virttype, "kvm");
	lv.alive = lv.asked++ >= lv.dies;
	return lv.alive && lv.has_kvm ? strdup("<domainCapabilities/>") : NULL;
}

int virConnectIsAlive(virConnectPtr conn)
{
	(void)conn;
	return lv.alive;
}

struct links *links_ref(struct links *links)
{
	return links;
}

void links_unref(struct links *links)
{
	(void)links;
}

unsigned links_count(struct links *links)
{
	(void)links;
	return 0;
}

int links_open(struct links *links, const char *uri, unsigned generation, struct mailbox *mailbox,
	char *words, size_t size)
{
	(void)links, (void)uri, (void)mailbox, (void)words, (void)size;
	the_link.generation = generation;
	lv.alive = true;
	return 0;
}

struct link *links_take(struct links *links, unsigned generation)
{
	(void)links, (void)generation;
	return NULL;
}

void links_place(struct links *links, struct link *link)
{
	(void)links, (void)link;
}

void links_end(struct links *links)
{
	(void)links;
}

bool links_ended(struct links *links)
{
	(void)links;
	return false;
}

struct link *links_get(struct links *links)
{
	(void)links;
	return &the_link;
}

void link_put(struct link *link)
{
	(void)link;
}

void link_retire(struct link *link, bool close)
{
	(void)link, (void)close;
}

/* The test ---- */

static sd_event *event;
static struct connection *connection;
static unsigned ups;

static void changed(void *userdata, bool up, const char *message, usec_t now)
{
	(void)userdata, (void)message, (void)now;
	ups += up;
}

static void wait_up(void)
{
	unsigned before = ups;
	usec_t until = now_boottime() + PATIENCE;

	while (ups == before) {
		assert_true(now_boottime() < until);
		assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
	}
}

static void reconnect(void)
{
	connection_closed(connection, the_link.generation, "libvirtd went", now_boottime());
	wait_up();
}

static void with_connection(void (*body)(void))
{
	struct worker_pool *pool;
	struct mailbox *mailbox;

	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(worker_pool_new(event, &pool), 0);
	assert_int_equal(mailbox_new(&mailbox), 0);
	assert_int_equal(connection_new(event, pool, "qemu:///system", &the_links, mailbox, changed,
				 NULL, &connection),
		0);
	assert_int_equal(connection_begin(connection), 0);
	wait_up();
	body();
	connection_free(connection);
	mailbox_unref(mailbox);
	worker_pool_free(pool);
	sd_event_unref(event);
}

static void yes_for_good(void)
{
	assert_true(connection_kvm(connection));
	reconnect();
	assert_true(connection_kvm(connection));
	assert_int_equal(lv.asked, 1);
}

static void no_for_good(void)
{
	assert_false(connection_kvm(connection));
	reconnect();
	assert_false(connection_kvm(connection));
	assert_int_equal(lv.asked, 1);
}

static void yes_at_last(void)
{
	assert_false(connection_kvm(connection));
	reconnect();
	assert_false(connection_kvm(connection));
	reconnect();
	assert_true(connection_kvm(connection));
	reconnect();
	assert_int_equal(lv.asked, 3);
}

static void an_answer_is_final(void **state)
{
	(void)state;
	memset(&lv, 0, sizeof(lv));
	lv.has_kvm = true;
	with_connection(yes_for_good);
	memset(&lv, 0, sizeof(lv));
	with_connection(no_for_good);
}

/* libvirtd is restarted, or killed, while it looks at its QEMUs. */
static void a_lost_answer_is_asked_for_again(void **state)
{
	(void)state;
	memset(&lv, 0, sizeof(lv));
	lv.has_kvm = true;
	lv.dies = 2;
	with_connection(yes_at_last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_final),
		cmocka_unit_test(a_lost_answer_is_asked_for_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
