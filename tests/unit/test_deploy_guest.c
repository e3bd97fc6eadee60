/* SPDX-License-Identifier: Apache-2.0 */
/* How a deploy reaches its guest: keys that are none, and whatever ssh says or becomes of it, told
 * in words that are printable; and the switch, with its way back. */
/* LINK: base model io/layout io/owner cli/stageline cli/deploy_guest cli/deploy_switch */
/* LIBS: inih libcbor jansson libsystemd */
#include "alloc_fail.h"
#include "open_files.h"

#include "deploy_world.h"

/* The daemon's part ---- */

static int verdict;
static bool unwatched;
static unsigned told, activated;

int deploy_verdict(struct deploy *deploy)
{
	return verdict < 0 ? reason_set(&deploy->reason, verdict, "it does not answer") : 0;
}

int deploy_told_restarted(struct deploy *deploy)
{
	deploy->status = CLI_NO_DAEMON;
	told++;
	return -ENOTCONN;
}

bool deploy_unwatched(struct deploy *deploy)
{
	(void)deploy;
	return unwatched;
}

void deploy_activate(struct deploy *deploy)
{
	(void)deploy;
	activated++;
}

/* Keys ---- */

static void put(const char *name, const char *text)
{
	CLEANUP_FREE char *path = path_join(dir, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600), 0);
}

#define KEY "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n"

static void put_keys(void)
{
	shell("rm -rf private && mkdir -p private/vm");
	put("private/vm/known_hosts", "vm ssh-ed25519 AAAA\n");
	put("private/vm/ssh_key", KEY);
}

static void test_keys(void **state)
{
	static const struct {
		const char *what;
		int error;
		const char *says;
	} rows[] = {
		{ "rm known_hosts", -ENOENT, "known_hosts: No such file or directory; stop" },
		{ "rm known_hosts; ln -s known_hosts known_hosts", -ELOOP,
			"known_hosts: Too many levels of symbolic links" },
		{ "rm ssh_key", -ENOENT, "give yours, --identity=FILE" },
		{ "rm ssh_key; mkdir ssh_key", -EISDIR, "cannot read the key " },
		{ "head -c 70000 /dev/zero >ssh_key", -EFBIG, "cannot read the key " },
		{ ": >ssh_key", -EINVAL, "ssh_key is no private SSH key" },
		{ "echo ssh-ed25519 AAAA >ssh_key", -EINVAL, "ssh_key is no private SSH key" },
		{ "echo -----BEGIN CERTIFICATE----- >ssh_key", -EINVAL,
			"ssh_key is no private SSH key" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char what[256];

		put_keys();
		(void)snprintf(what, sizeof(what), "cd private/vm && %s", rows[i].what);
		shell(what);
		begin();
		int r = deploy_reach(&d);
		if (r != rows[i].error || !strstr(d.reason.text, rows[i].says))
			fail_msg("%s: %d %s", rows[i].what, r, d.reason.text);
		end();
	}
	put_keys();
	begin();
	assert_int_equal(deploy_reach(&d), 0);
	assert_non_null(strstr(d.control, "private/vm/ssh.sock"));
	end();
	guest.ssh_port = 0;
	assert_int_equal(deploy_reach(&d), -EINVAL);
	assert_non_null(strstr(d.reason.text, "SSHPort=none"));
}

/* One connection for all steps is kept only under a name that ssh takes as it is, and not by who
 * does not hold the lock. */
static void test_control(void **state)
{
	static const char *const names[] = { "100%", "a\"b", "$HOME",
		"a-directory-with-a-name-that-is-so-long-that-no-socket-in-it-could-have-one" };

	(void)state;
	put_keys();
	args.list = true;
	assert_int_equal(deploy_reach(&d), 0);
	assert_null(d.control);
	end();
	args.list = false;
	put("mine", KEY);
	CLEANUP_FREE char *mine = path_join(dir, "mine");
	args.identity = mine;
	assert_int_equal(deploy_reach(&d), 0);
	assert_null(d.control);
	assert_string_equal(d.key, mine);
	assert_false(d.as_owner);
	end();
	args.identity = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP_FREE char *other = path_join(dir, names[i]);
		CLEANUP_FREE char *private = path_join(dir, "private");
		CLEANUP_FREE char *to = path_join(other, "private");

		assert_int_equal(mkdir(other, 0700), 0);
		assert_int_equal(symlink(private, to), 0);
		the_spec.state_dir = other;
		begin();
		assert_int_equal(deploy_reach(&d), 0);
		assert_null(d.control);
		end();
	}
	the_spec.state_dir = dir;
}

static void test_hang_up(void **state)
{
	(void)state;
	put_keys();
	assert_int_equal(deploy_reach(&d), 0);
	/* There is none; and without the lock it is another's. */
	d.lock_fd = dup(STDIN_FILENO);
	deploy_hang_up(&d);
	assert_string_equal(arguments, "");
	put("private/vm/ssh.sock", "");
	assert_int_equal(close(d.lock_fd), 0);
	d.lock_fd = -1;
	deploy_hang_up(&d);
	assert_string_equal(arguments, "");
	d.lock_fd = dup(STDIN_FILENO);
	deploy_hang_up(&d);
	assert_non_null(strstr(arguments, "-O\nexit\n"));
	assert_non_null(strstr(arguments, "private/vm/ssh.sock\"\n"));
}

/* Answers ---- */

static struct deploy_step look = { .name = "look", .vars = "", .timeout = 2 * USEC_PER_MINUTE };

static void test_answers(void **state)
{
	static const struct {
		struct answer answer;
		int error;
		const char *says;
	} rows[] = {
		{ { .r = -ENOENT }, -ENOENT, "install the package openssh-client" },
		{ { .r = -ETIMEDOUT }, -ECONNREFUSED, "vm, at look: not done after 2min" },
		{ { .r = -EFBIG }, -EFBIG, "vm, at look: says more than 256 KiB" },
		{ { .r = -ECANCELED }, -ECANCELED, "" },
		{ { .r = -EMFILE }, -EMFILE, "ssh: Too many open files" },
		{ { .signal = 9 }, -ECONNREFUSED, "ssh was ended by signal 9" },
		{ { .exit_status = 255 }, -ECONNREFUSED,
			"ssh to vm, port 10022: it ended without a word" },
		{ { .exit_status = 255, .error = "Connection refused" }, -ECONNREFUSED,
			"ssh to vm, port 10022: Connection refused" },
		{ { .exit_status = 255, .error = "foundry: Permission denied (publickey)." },
			-ECONNREFUSED, "vm does not let foundry in with the key " },
		{ { .exit_status = 255, .error = "@ REMOTE HOST IDENTIFICATION HAS CHANGED! @" },
			-ECONNREFUSED, "does not have the SSH key that was given to vm" },
		{ { .exit_status = 255, .error = "Unable to negotiate: no matching host key type" },
			-ECONNREFUSED, "does not have the SSH key that was given to vm" },
		{ { .exit_status = 255, .error = "Host key verification failed." }, -ECONNREFUSED,
			"does not have the SSH key that was given to vm" },
		{ { .exit_status = 1 }, -EIO, "in vm, at look: it failed without a word" },
		{ { .exit_status = 1, .error = "no room" }, -EIO, "in vm, at look: no room" },
		{ { .output = "free much\n" }, -EBADMSG, "says what no guest of ours says" },
		{ { .output = "current ../../etc\n" }, -EBADMSG, "says what no guest of ours" },
		{ { .output = "exec \033[2J\n" }, -EBADMSG, "says what no guest of ours" },
		{ { .output = "free 1\0current -\n", .output_len = 17 }, -EBADMSG,
			"says what no guest of ours" },
		{ { .output = "Welcome!\nfree 7\n" }, 0, "" },
	};

	(void)state;
	put_keys();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		assert_int_equal(deploy_reach(&d), 0);
		answers[0] = rows[i].answer;
		answers[0].step = "look";
		int r = deploy_step(&d, &look);
		if (r != rows[i].error || !strstr(d.reason.text, rows[i].says))
			fail_msg("row %zu: %d %s", i, r, d.reason.text);
		assert_int_equal(d.reason.text[0] != '\0', rows[i].says[0] != '\0');
		assert_int_equal(d.facts.free_kib, r == 0 ? 7 : 0);
		end();
	}
}

/* What is run by sudo is one word to the shell before it. */
static void test_as_root(void **state)
{
	struct deploy_step step = look;

	(void)state;
	put_keys();
	assert_int_equal(deploy_reach(&d), 0);
	step.vars = "A='1'";
	assert_int_equal(deploy_step(&d, &step), 0);
	assert_ptr_equal(strstr(command, "STEP='look' SERVICE='web' UNIT='web.service' A='1'\n"),
		command);
	CLEANUP_FREE char *plain = strdup(command);
	step.as_root = true;
	assert_int_equal(deploy_step(&d, &step), 0);
	assert_ptr_equal(
		strstr(command, ": look web\nsudo -n sh -c 'STEP='\\''look'\\''"), command);
	/* A shell makes of it what it was. */
	CLEANUP_FREE char *in = path_join(dir, "in"), *script = NULL, *back = NULL;
	assert_true(asprintf(&script, "sudo() { printf %%s \"$4\"; }\n%s", command) > 0);
	assert_int_equal(file_write_atomic(in, script, strlen(script), 0600), 0);
	shell("sh in >out");
	CLEANUP_FREE char *out = path_join(dir, "out");
	assert_int_equal(file_read(out, 1 << 20, &back, NULL), 0);
	assert_string_equal(back, plain);
}

static void attempt_step(void *userdata)
{
	const struct deploy_step *step = userdata;

	begin();
	answers[0] = (struct answer){ .step = "look", .output = "free 7\n" };
	unsigned before = open_files();
	alloc_arm();
	int r = deploy_reach(&d);
	if (r >= 0)
		r = deploy_step(&d, step);
	bool failed = alloc_disarm();
	assert_int_equal(open_files(), before);
	assert_true(r == 0 || (failed && r < 0));
	if (r == 0)
		assert_int_equal(d.facts.free_kib, 7);
	end();
}

static void test_without_memory(void **state)
{
	struct deploy_step step = look;

	(void)state;
	put_keys();
	alloc_sweep(attempt_step, &step, 8);
	step.as_root = true;
	alloc_sweep(attempt_step, &step, 9);
}

/* The switch ---- */

#define RELEASE "20261124T044100Z-0123456789ab"

static int do_switch(void)
{
	return deploy_switch(&d);
}

static void test_switch(void **state)
{
	static const struct {
		struct answer answers[3];
		int verdict, r;
		const char *steps, *says;
		unsigned told;
	} rows[] = {
		{ { { .step = "switch", .output = "pid 7\n" },
			  { .step = "settle", .output = "settled x\n" } },
			0, 0, "switch settle", RELEASE " runs and answers", 0 },
		{ { { .step = "switch", .exit_status = 1, .error = "no" },
			  { .step = "undo", .output = "undone a b\n" } },
			0, -EIO, "switch undo",
			"deploy vm web: in vm, at switch: no\n"
			"deploy vm web: rolled back: what was there before runs again\n", 1 },
		{ { { .step = "undo", .output = "log it \033[31mburns\nlog \nlogs\nundone a b" } },
			-ETIMEDOUT, -ETIMEDOUT, "switch undo",
			"the last lines of web.service:\n  it \\x1b[31mburns\n  \n"
			"deploy vm web: it does not answer\n"
			"deploy vm web: rolled back: what was there before runs again\n", 1 },
		{ { { .step = "undo", .output = "log x\n" } }, -ETIMEDOUT, -ETIMEDOUT,
			"switch undo", "nothing was switched, or it was proven already", 0 },
		{ { { .step = "undo", .exit_status = 255, .error = "gone" } }, -ETIMEDOUT,
			-ETIMEDOUT, "switch undo",
			"deploy vm web: it does not answer\n"
			"deploy vm web: and it could not be rolled back: ssh to vm, port 10022: "
			"gone; the next deploy of web does that first\n", 0 },
		{ { { .step = "settle" }, { .step = "undo", .output = "undone a b\n" } }, 0,
			-EBADMSG, "switch settle undo", "vm does not say that it is done", 1 },
		{ { { .step = "settle", .r = -ECANCELED },
			  { .step = "undo", .output = "undone a b\n" } },
			0, -ECANCELED, "switch settle undo", "deploy vm web: interrupted\n", 1 },
	};

	(void)state;
	put_keys();
	unwatched = false;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		assert_int_equal(deploy_reach(&d), 0);
		memcpy(answers, rows[i].answers, sizeof(rows[i].answers));
		memcpy(d.release, RELEASE, sizeof(RELEASE));
		verdict = rows[i].verdict;
		told = activated = 0;
		int r = heard(do_switch);
		if (r != rows[i].r || strcmp(steps, rows[i].steps) != 0 ||
			!strstr(said, rows[i].says))
			fail_msg("row %zu: %d %s: %s", i, r, steps, said);
		assert_null(strchr(said, '\033'));
		assert_int_equal(told, rows[i].told);
		assert_int_equal(activated, r == 0);
		/* That the daemon could not be told is no news. */
		assert_int_equal(d.status, CLI_FAILED);
		end();
	}
	/* Of one that nobody watches only the unit says something, for a while. */
	begin();
	assert_int_equal(deploy_reach(&d), 0);
	unwatched = true;
	verdict = -ETIMEDOUT;
	answers[0] = (struct answer){ .step = "settle", .output = "settled x\n" };
	answers[1] = (struct answer){ .step = "switch", .output = "pid 7\n" };
	assert_int_equal(heard(do_switch), 0);
	assert_non_null(strstr(said, " runs and stays up ("));
	assert_non_null(strstr(command, "PID='7' STAY='5' KEEP='3'"));
}

static int do_judge(void)
{
	return deploy_judge(&d);
}

/* What a look took back is started already: there is nothing to switch, and nothing to undo. */
static void test_judge(void **state)
{
	(void)state;
	put_keys();
	unwatched = false;
	for (int i = 0; i < 3; i++) {
		begin();
		assert_int_equal(deploy_reach(&d), 0);
		answers[0] = (struct answer){ .step = "look",
			.output = "dropped a\nundone a b\npid 7\ncurrent " RELEASE "\n" };
		answers[1] =
			(struct answer){ .step = "settle", .output = i == 2 ? "" : "settled x\n" };
		assert_int_equal(deploy_step(&d, &look), 0);
		memcpy(d.release, RELEASE, sizeof(RELEASE));
		verdict = i == 1 ? -ETIMEDOUT : 0;
		told = activated = 0;
		int r = heard(do_judge);
		assert_int_equal(r, i == 0 ? 0 : i == 1 ? -ETIMEDOUT : -EBADMSG);
		assert_string_equal(steps, i == 1 ? "look" : "look settle");
		if (i != 1)
			assert_non_null(strstr(command, "PID='7'"));
		assert_int_equal(strstr(said, RELEASE " runs and answers") != NULL, i == 0);
		assert_int_equal(activated, i == 0);
		assert_int_equal(d.undoing, false);
		end();
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_keys),
		TEST(test_control),
		TEST(test_hang_up),
		TEST(test_answers),
		TEST(test_as_root),
		TEST(test_without_memory),
		TEST(test_switch),
		TEST(test_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
