/* SPDX-License-Identifier: Apache-2.0 */
/* The prober on real sockets, against services that do what they should not: each answer's kind,
 * exactly one answer in time, and memory and descriptors that do not grow. */
/* LINK: base model/answer io/http io/http_exchange io/http_multi io/http_take io/tcp */
/* LIBS: libcurl libsystemd */
#include "base/macro.h"
#include "io/http.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "http/service.h"
#include "unit/open_files.h"

#define TIMEOUT USEC_PER_SEC
/* For a loaded machine; the strict bound is asserted in simulated time. */
#define GRACE (500 * USEC_PER_MSEC)
#define NONCE "0123456789abcdef"

/* The test's side: a loop and a prober, and what a `done` does besides noting. */
struct asker {
	sd_event *event;
	struct prober *prober;
	int waiting;
	struct question_slot *to_cancel;
	bool destroy_when_done;
};

static void asker_new(struct asker *a)
{
	*a = (struct asker){ 0 };
	assert_int_equal(sd_event_new(&a->event), 0);
	assert_int_equal(http_prober_new(a->event, &a->prober), 0);
}

static void asker_free(struct asker *a)
{
	if (a->prober)
		a->prober->vtable->destroy(a->prober);
	sd_event_unref(a->event);
}

static void on_answer(void *userdata, const struct answer *answer, usec_t now)
{
	struct service *s = userdata;

	s->done++;
	s->answered = now;
	s->answer = *answer;
	s->asker->waiting--;
	if (s->asker->to_cancel) {
		s->asker->prober->vtable->cancel(s->asker->prober, s->asker->to_cancel);
		s->asker->to_cancel = NULL;
	}
	if (s->asker->destroy_when_done) {
		s->asker->prober->vtable->destroy(s->asker->prober);
		s->asker->prober = NULL;
	}
}

static struct question_slot *ask(struct asker *a, struct service *s, int *ret_error)
{
	struct question q = {
		.address = "127.0.0.1",
		.port = s->port,
		.protocol = s->row->protocol,
		.path = "/healthz",
		.nonce = NONCE,
		.timeout = TIMEOUT,
	};
	struct question_slot *slot;
	int done = s->done, error = 0;

	s->asker = a;
	s->asked = now_boottime();
	slot = a->prober->vtable->ask(a->prober, &q, on_answer, s, &error);
	assert_int_equal(s->done, done);
	if (ret_error)
		*ret_error = error;
	else
		assert_non_null(slot);
	a->waiting += slot != NULL;
	return slot;
}

static void run_until_answered(struct asker *a)
{
	usec_t start = now_boottime();

	while (a->waiting > 0) {
		assert_true(sd_event_run(a->event, TIMEOUT + 2 * GRACE) >= 0);
		assert_true(now_boottime() - start < 20 * USEC_PER_SEC);
	}
	/* Whatever were to come twice would come now. */
	for (int i = 0; i < 3; i++)
		assert_true(sd_event_run(a->event, 0) >= 0);
}

static bool row_holds(const struct service *s)
{
	const struct row *row = s->row;
	const struct answer *a = &s->answer;
	bool whole_http = row->kind == ANSWER_WHOLE && row->protocol == ANSWER_HTTP;
	/* Only silence is waited out; a flood is stopped, a held connection believed, before. */
	usec_t until = s->asked + TIMEOUT + (row->kind == ANSWER_TIMEOUT ? GRACE : 0);

	if (s->done == 1 && a->protocol == row->protocol && a->kind == row->kind &&
		a->status == row->status && a->says_cbor == row->cbor &&
		a->body_len == row->body_len && s->answered <= until &&
		a->latency <= s->answered - s->asked && (whole_http || a->detail[0]))
		return true;
	print_error("%s: done %d, %s (%s), status %d, cbor %d, %zu bytes, %d ms\n", row->name,
		s->done, answer_kind_to_string(a->kind), a->detail, a->status, a->says_cbor,
		a->body_len, (int)((s->answered - s->asked) / USEC_PER_MSEC));
	return false;
}

static long max_rss_kib(void)
{
	struct rusage r;

	assert_int_equal(getrusage(RUSAGE_SELF, &r), 0);
	return r.ru_maxrss;
}

static void test_hostile(void **state)
{
	static struct service services[ARRAY_SIZE(rows)];
	struct asker a;
	unsigned failed = 0;
	long rss;

	(void)state;
	asker_new(&a);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		service_start(&services[i], &rows[i], 1);
	rss = max_rss_kib();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		(void)ask(&a, &services[i], NULL);
	run_until_answered(&a);
	rss = max_rss_kib() - rss;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		failed += !row_holds(&services[i]);
		service_stop(&services[i]);
	}
	asker_free(&a);
	assert_int_equal(failed, 0);
	/* About 25 KiB a question in flight, and the stacks of the threads. */
	if (rss > 8192)
		fail_msg("%ld KiB for %zu questions", rss, ARRAY_SIZE(rows));
}

static const struct row plain = {
	.name = "plain",
	.head = CBOR "\r\n\xa0\x01",
	.end = CLOSES,
	.status = 200,
	.cbor = true,
	.body_len = 2,
};
static const struct row silent = { .name = "silent", .end = HOLDS, .kind = ANSWER_TIMEOUT };
static const struct row silent_tcp = {
	.name = "silent tcp",
	.protocol = ANSWER_TCP,
	.end = HOLDS_UNASKED,
};

/* With nothing else going on, so that only the timers can bring the answer. */
static void test_alone(void **state)
{
	static const struct row *const alone[] = { &silent, &silent_tcp };
	struct service s;
	struct asker a;

	(void)state;
	asker_new(&a);
	for (size_t i = 0; i < ARRAY_SIZE(alone); i++) {
		service_start(&s, alone[i], 1);
		(void)ask(&a, &s, NULL);
		run_until_answered(&a);
		service_stop(&s);
		assert_true(row_holds(&s));
	}
	asker_free(&a);
}

static void test_question(void **state)
{
	char expected[512];
	struct service s;
	struct asker a;

	(void)state;
	asker_new(&a);
	service_start(&s, &plain, 1);
	(void)ask(&a, &s, NULL);
	run_until_answered(&a);
	service_stop(&s);
	asker_free(&a);
	assert_true(row_holds(&s));
	(void)snprintf(expected, sizeof(expected),
		"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: "
		"mediakitd/" MEDIAKIT_VERSION "\r\nMediaKit-Nonce: " NONCE
		"\r\nAccept: application/cbor, */*;q=0.1\r\n\r\n",
		s.port);
	assert_string_equal(s.question, expected);
}

static void test_refused_questions(void **state)
{
	static char long_path[HTTP_PATH_MAX + 2];
	const struct question good = { "127.0.0.1", 9, ANSWER_HTTP, "/healthz", NONCE, TIMEOUT };
	struct question bad[16];
	size_t n = 0;
	struct asker a;

	(void)state;
	memset(long_path, '/', sizeof(long_path) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[n++].address = NULL;
	bad[n++].address = "localhost";
	bad[n++].address = "127.1";
	bad[n++].address = "::1";
	bad[n++].address = "127.0.0.1@example.com";
	bad[n++].port = 0;
	bad[n++].protocol = ANSWER_UNIT;
	bad[n++].path = NULL;
	bad[n++].path = "healthz";
	bad[n++].path = "/a b";
	bad[n++].path = "/a\r\nX: y";
	bad[n++].path = long_path;
	bad[n++].nonce = "0123456789ABCDEF";
	bad[n++].nonce = NONCE "0";
	bad[n++].nonce = "\r\n";
	bad[n++].timeout = 0;
	assert_int_equal(n, ARRAY_SIZE(bad));
	asker_new(&a);
	for (size_t i = 0; i < n; i++) {
		int error = 0;

		assert_null(a.prober->vtable->ask(a.prober, &bad[i], on_answer, NULL, &error));
		assert_int_equal(error, -EINVAL);
	}
	asker_free(&a);
}

/* The done of one question cancels the other, whichever transport it uses and although both may be
 * due. */
static void test_cancel(void **state)
{
	static const struct row *const others[] = { &plain, &silent, &silent_tcp };
	struct service s, other;
	struct asker a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		asker_new(&a);
		service_start(&s, &plain, 1);
		service_start(&other, others[i], 1);
		a.to_cancel = ask(&a, &other, NULL);
		(void)ask(&a, &s, NULL);
		/* Where the other comes first it cancels itself, which is to do nothing. */
		a.waiting = 1;
		while (s.done == 0)
			assert_true(sd_event_run(a.event, TIMEOUT) >= 0);
		a.waiting = 0;
		run_until_answered(&a);
		assert_int_equal(s.done, 1);
		assert_true(other.done == 0 || others[i] == &plain);
		service_stop(&s);
		service_stop(&other);
		/* Cancelled at once, before the loop turned: the service is owed a connection. */
		service_start(&s, &plain, 1);
		a.prober->vtable->cancel(a.prober, ask(&a, &s, NULL));
		assert_int_equal(s.done, 0);
		a.waiting = 0;
		(void)ask(&a, &s, NULL);
		run_until_answered(&a);
		assert_int_equal(s.done, 1);
		service_stop(&s);
		asker_free(&a);
	}
}

static void test_destroy(void **state)
{
	struct service s, other, tcp;
	struct asker a;

	(void)state;
	for (int inside = 0; inside < 2; inside++) {
		asker_new(&a);
		service_start(&s, &plain, 1);
		service_start(&other, &silent, 1);
		service_start(&tcp, &silent_tcp, 1);
		(void)ask(&a, &other, NULL);
		(void)ask(&a, &tcp, NULL);
		(void)ask(&a, &s, NULL);
		a.destroy_when_done = inside;
		while (s.done == 0)
			assert_true(sd_event_run(a.event, TIMEOUT) >= 0);
		asker_free(&a);
		assert_int_equal(s.done, 1);
		assert_int_equal(other.done + tcp.done, 0);
		service_stop(&s);
		service_stop(&other);
		service_stop(&tcp);
	}
}

static void test_limits(void **state)
{
	static struct service s[PROBER_QUESTIONS_MAX + 1], tcp;
	static const struct row unasked = { .end = REFUSES, .kind = ANSWER_LOCAL_ERROR };
	static const struct row unasked_tcp = {
		.end = REFUSES,
		.protocol = ANSWER_TCP,
		.kind = ANSWER_LOCAL_ERROR,
	};
	struct rlimit old, none = { 0, 0 };
	struct asker a;
	int error;

	(void)state;
	asker_new(&a);
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = (struct service){ .row = &unasked, .port = 9 };
		assert_true(!!ask(&a, &s[i], &error) == (i < PROBER_QUESTIONS_MAX));
	}
	assert_int_equal(error, -ENOBUFS);
	a.prober->vtable->destroy(a.prober);
	assert_int_equal(http_prober_new(a.event, &a.prober), 0);
	a.waiting = 0;

	/* Out of descriptors is our fault, not the guest's. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	tcp = (struct service){ .row = &unasked_tcp, .port = 9 };
	(void)ask(&a, &s[0], NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	(void)ask(&a, &tcp, NULL);
	run_until_answered(&a);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(row_holds(&s[0]));
	assert_true(row_holds(&tcp));
	asker_free(&a);
}

static void test_flat(void **state)
{
	enum { WAVES = 250, WARM = 20, WIDTH = 8 };
	static struct service s[WIDTH];
	size_t warm = 0, end;
	unsigned files = open_files();
	struct asker a;

	(void)state;
	asker_new(&a);
	for (int i = 0; i < WIDTH; i++)
		service_start(&s[i], &plain, WAVES);
	for (int wave = 0; wave < WAVES; wave++) {
		if (wave == WARM)
			warm = mallinfo2().uordblks;
		for (int i = 0; i < WIDTH; i++)
			(void)ask(&a, &s[i], NULL);
		run_until_answered(&a);
	}
	end = mallinfo2().uordblks;
	for (int i = 0; i < WIDTH; i++) {
		assert_int_equal(s[i].done, WAVES);
		assert_int_equal(s[i].answer.status, 200);
		service_stop(&s[i]);
	}
	asker_free(&a);
	assert_int_equal(open_files(), files);
	/* libcurl 8.14 settles 50 KB above its first waves, after 250 as after 2000 of them; 7.88
	 * stays under 16 KB. A leak of 40 bytes a question would be seen. */
	if (end > warm + 65536)
		fail_msg("%zu bytes in use after %d waves, %zu after %d", warm, WARM, end, WAVES);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < ANSWER_KIND_NUM; i++)
		assert_int_equal(answer_kind_from_string(answer_kind_to_string(i)), i);
	assert_int_equal(answer_kind_from_string("wholesome"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_refused_questions),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_names),
	};

	/* A proxy in the environment must not be asked. */
	(void)setenv("http_proxy", "http://127.0.0.1:1/", 1);
	(void)setenv("all_proxy", "http://127.0.0.1:1/", 1);
	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
