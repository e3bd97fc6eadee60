/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait: each is answered exactly once, also when the answer makes or forgets
 * others. */
/* LINK: base/time core/operation */
#include "core/operation.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S USEC_PER_SEC

struct caller {
	struct operations *list;
	struct operation *other; /* forgotten in the callback */
	bool asks_again;
	unsigned answers;
	int error;
	char message[64];
};

static void done(void *userdata, int error, const char *message)
{
	struct caller *c = userdata;

	c->answers++;
	c->error = error;
	(void)snprintf(c->message, sizeof(c->message), "%s", message);
	if (c->other)
		operation_forget(c->list, c->other);
	c->other = NULL;
	if (c->asks_again)
		assert_non_null(operation_add(c->list, OPERATION_STOP, done, c, 0, USEC_INFINITY));
	c->asks_again = false;
}

static void test_by_kind(void **state)
{
	struct operations list = { 0 };
	struct caller start = { 0 }, stop = { 0 }, stop2 = { 0 };

	(void)state;
	assert_non_null(operation_add(&list, OPERATION_START, done, &start, 0, 10 * S));
	assert_non_null(operation_add(&list, OPERATION_STOP, done, &stop, 0, 10 * S));
	assert_non_null(operation_add(&list, OPERATION_STOP, done, &stop2, 0, 10 * S));
	operations_answer(&list, 1u << OPERATION_KILL, 0, "nobody");
	operations_answer(&list, 1u << OPERATION_STOP, 0, "stopped");
	assert_int_equal(stop.answers, 1);
	assert_int_equal(stop2.answers, 1);
	assert_string_equal(stop2.message, "stopped");
	assert_int_equal(start.answers, 0);
	assert_int_equal(list.n, 1);
	operations_answer(&list, ~0u, -ECANCELED, "gone");
	assert_int_equal(start.answers, 1);
	assert_int_equal(start.error, -ECANCELED);
	operations_answer(&list, ~0u, 0, "again");
	assert_int_equal(start.answers, 1);
	assert_int_equal(list.n, 0);
	assert_null(list.first);
}

static void test_expire(void **state)
{
	struct operations list = { 0 };
	struct caller a = { 0 }, b = { 0 }, forever = { 0 };

	(void)state;
	assert_int_equal(operations_expire(&list, 0), USEC_INFINITY);
	assert_non_null(operation_add(&list, OPERATION_START, done, &b, 0, 20 * S));
	assert_non_null(operation_add(&list, OPERATION_BALLOON, done, &a, 0, 10 * S));
	assert_non_null(operation_add(&list, OPERATION_STOP, done, &forever, 0, USEC_INFINITY));
	assert_int_equal(operations_expire(&list, 10 * S - 1), 10 * S);
	assert_int_equal(a.answers, 0);
	assert_int_equal(operations_expire(&list, 10 * S), 20 * S);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.error, -ETIMEDOUT);
	assert_int_equal(operations_expire(&list, USEC_PER_DAY), USEC_INFINITY);
	assert_int_equal(b.answers, 1);
	assert_int_equal(forever.answers, 0);
	operations_answer(&list, ~0u, 0, "");
}

/* The caller went away: never called, and the rest of the list is whole. */
static void test_forget(void **state)
{
	struct operations list = { 0 };
	struct caller callers[3] = { 0 };
	struct operation *ops[3];

	(void)state;
	for (int gone = 0; gone < 3; gone++) {
		memset(callers, 0, sizeof(callers));
		for (int i = 0; i < 3; i++)
			ops[i] = operation_add(&list, OPERATION_STOP, done, &callers[i], 0, S);
		operation_forget(&list, ops[gone]);
		assert_int_equal(list.n, 2);
		operations_answer(&list, ~0u, 0, "");
		for (int i = 0; i < 3; i++)
			assert_int_equal(callers[i].answers, i != gone);
	}
}

/* In the callback: another is forgotten, and a new one is made. The new one is answered in the
 * same go, once. */
static void test_callback_changes_the_list(void **state)
{
	struct operations list = { 0 };
	struct caller first = { .list = &list }, second = { .list = &list },
		      again = { .list = &list };

	(void)state;
	struct operation *op = operation_add(&list, OPERATION_STOP, done, &second, 0, S);
	assert_non_null(op);
	assert_non_null(operation_add(&list, OPERATION_STOP, done, &first, 0, S));
	first.other = op;
	operations_answer(&list, ~0u, 0, "");
	assert_int_equal(first.answers, 1);
	assert_int_equal(second.answers, 0);

	assert_non_null(operation_add(&list, OPERATION_STOP, done, &again, 0, S));
	again.asks_again = true;
	operations_answer(&list, ~0u, 0, "");
	assert_int_equal(again.answers, 2);
	assert_int_equal(list.n, 0);
}

static void test_bound(void **state)
{
	struct operations list = { 0 };
	struct caller c = { 0 };

	(void)state;
	for (unsigned i = 0; i < OPERATIONS_MAX; i++)
		assert_non_null(operation_add(&list, OPERATION_STOP, done, &c, 0, S));
	assert_null(operation_add(&list, OPERATION_STOP, done, &c, 0, S));
	operations_answer(&list, ~0u, 0, "");
	assert_int_equal(c.answers, OPERATIONS_MAX);
	assert_non_null(operation_add(&list, OPERATION_STOP, NULL, NULL, 0, S));
	operations_answer(&list, ~0u, 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_kind),
		cmocka_unit_test(test_expire),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_callback_changes_the_list),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
