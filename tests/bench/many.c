/* SPDX-License-Identifier: Apache-2.0 */
/* The two programs of many.sh: `serve BASE N` answers on N ports from BASE on; `probe DIR BASE
 * GUESTS SERVICES WARM SECONDS` is the daemon with everything it has but libvirt, whose place the
 * tests' fake hypervisor takes: so many guests that run, each of so many services on those ports,
 * asked by the real prober at the default interval. It tells its own CPU time. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"
#include "bus/bus.h"
#include "core/supervisor.h"
#include "daemon/fake_hv.h"
#include "io/confdir.h"
#include "io/filestore.h"
#include "io/http.h"
#include "io/layout.h"
#include "io/oomkill.h"
#include "io/pressure.h"
#include "io/worker.h"

/* {"status": "ok", "version": "1.0", "message": "all is well"}, as python3-cbor2 writes it. */
static const char report[] = "\xa3\x66status\x62ok\x67version\x63"
			     "1.0\x67message\x6b"
			     "all is well";

static int fail(const char *what, int error)
{
	(void)fprintf(stderr, "bench-many: %s: %s\n", what, strerror(error));
	return EXIT_FAILURE;
}

static void serve_one(int listener, const char *answer, size_t len)
{
	char question[2048];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	/* A question is one segment; closing with bytes unread would be a reset. */
	if (recv(fd, question, sizeof(question), 0) > 0)
		(void)send(fd, answer, len, MSG_NOSIGNAL);
	(void)close(fd);
}

static int serve(unsigned base, unsigned n)
{
	struct epoll_event events[64];
	char answer[512];
	int poll = epoll_create1(EPOLL_CLOEXEC);
	int len = snprintf(answer, sizeof(answer),
		"HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\n"
		"Content-Length: %zu\r\nConnection: close\r\n\r\n",
		sizeof(report) - 1);

	memcpy(answer + len, report, sizeof(report) - 1);
	len += (int)sizeof(report) - 1;
	for (unsigned i = 0; i < n; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET,
			.sin_port = htons((uint16_t)(base + i)),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
		struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
			listen(fd, 16) < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e) < 0) {
			(void)fprintf(
				stderr, "bench-many: port %u: %s\n", base + i, strerror(errno));
			return EXIT_FAILURE;
		}
	}
	(void)puts("serving");
	(void)fflush(stdout);
	for (;;) {
		int ready = epoll_wait(poll, events, 64, -1);
		for (int i = 0; i < ready; i++)
			serve_one(events[i].data.fd, answer, (size_t)len);
	}
}

/* The real prober, counted. */
struct counter {
	struct prober prober;
	struct prober *real;
	uint64_t asked;
};

static struct question_slot *count_ask(
	struct prober *p, const struct question *q, answer_t done, void *userdata, int *ret_error)
{
	struct counter *c = (struct counter *)p;

	c->asked++;
	return c->real->vtable->ask(c->real, q, done, userdata, ret_error);
}

static void count_cancel(struct prober *p, struct question_slot *slot)
{
	struct counter *c = (struct counter *)p;

	c->real->vtable->cancel(c->real, slot);
}

struct bench {
	sd_event *event;
	sd_event_source *timer;
	struct timeline timeline;
	struct fake_hv *hv;
	struct counter prober;
	struct supervisor *supervisor;
	unsigned warm, seconds;
	uint64_t turns;
	/* when the measurement began */
	uint64_t asked_before, turns_before;
	double cpu_before;
};

static double cpu_seconds(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	(void)userdata;
	return 0;
}

/* As the daemon's own loop (cli/run), with the fake hypervisor's happenings before it. */
static int on_prepare(sd_event_source *source, void *userdata)
{
	struct bench *b = userdata;
	usec_t now = now_boottime();

	b->turns++;
	timeline_run(&b->timeline, now);
	usec_t next = supervisor_run(b->supervisor, now);
	return sd_event_source_set_time(source, MIN(next, timeline_next(&b->timeline)));
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bench *b = userdata;
	const struct supervisor *s = b->supervisor;
	unsigned endpoints = 0, up = 0;
	struct rusage u;

	(void)usec;
	for (unsigned i = 0; i < s->n_guests; i++) {
		for (unsigned k = 0; k < s->guests[i]->n_services; k++) {
			endpoints++;
			up += s->guests[i]->services[k].probe.state == SERVICE_UP;
		}
	}
	if (up != endpoints) {
		(void)fprintf(stderr, "bench-many: only %u of %u services are up\n", up, endpoints);
		return sd_event_exit(sd_event_source_get_event(source), EXIT_FAILURE);
	}
	(void)getrusage(RUSAGE_SELF, &u);
	(void)printf("%u %u %llu %.3f %.1f %ld\n", s->n_guests, endpoints,
		(unsigned long long)(b->prober.asked - b->asked_before),
		cpu_seconds() - b->cpu_before, (double)(b->turns - b->turns_before) / b->seconds,
		u.ru_maxrss);
	return sd_event_exit(sd_event_source_get_event(source), EXIT_SUCCESS);
}

static int on_warm(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bench *b = userdata;

	(void)source;
	(void)usec;
	b->asked_before = b->prober.asked;
	b->turns_before = b->turns;
	b->cpu_before = cpu_seconds();
	return sd_event_add_time_relative(
		b->event, NULL, CLOCK_BOOTTIME, b->seconds * USEC_PER_SEC, 0, on_end, b);
}

static int write_config(const char *dir, unsigned base, unsigned guests, unsigned services)
{
	CLEANUP_FREE char *sub = NULL;
	int r = asprintf(&sub, "%s/guests.d", dir) < 0 ? -ENOMEM : dir_make(sub, 0755);

	for (unsigned i = 0; r >= 0 && i < guests; i++) {
		CLEANUP_FREE char *path = NULL, *text = NULL;
		size_t len;
		FILE *f = open_memstream(&text, &len);

		if (!f || asprintf(&path, "%s/vm-%03u.conf", sub, i) < 0)
			return -ENOMEM;
		/* More memory in all than the host has; the pool's work is not what is measured. */
		(void)fprintf(f, "[Guest]\nMemory=1G\nAutostart=no\n[Memory]\nBalloon=manual\n"
				 "[Image]\nKernel=/nowhere\n[Network]\nSSHPort=none\n");
		for (unsigned k = 0; k < services; k++)
			(void)fprintf(f, "[Service service-%02u]\nPort=%u\nHostPort=%u\n", k,
				9000 + k, base + i * services + k);
		if (fclose(f) != 0)
			return -ENOMEM;
		r = file_write_atomic(path, text, len, 0644);
	}
	return r;
}

static double half(void)
{
	return 0.5;
}

/* As the daemon's (cli/run), but for the randomness, which costs the same. */
static void nonce(char ret[static 17])
{
	static unsigned long long n;

	(void)snprintf(ret, 17, "%016llx", ++n);
}

static int make_supervisor(struct bench *b, const char *dir, struct store *store)
{
	struct conf_faults faults = { 0 };
	struct supervisor_config config = {
		.config_dir = dir,
		.hv = &b->hv->hv,
		.prober = &b->prober.prober,
		.store = store,
		.oomkill = &oomkill_kernel,
		.jitter = half,
		.nonce = nonce,
		.pressure = pressure_cpu,
	};
	int r = confdir_load(dir, dir, dir, &config.spec, &faults);

	for (unsigned i = 0; r < 0 && i < faults.n; i++)
		(void)fprintf(stderr, "%s\n", faults.list[i].text);
	conf_faults_clear(&faults);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < config.spec->n_guests; i++) {
		const struct guest_spec *g = &config.spec->guests[i];
		struct fake_guest *d = fake_hv_guest(b->hv, g->uuid, g->name);

		d->no_agent = true;
		fake_guest_start(d);
	}
	return supervisor_new(&config, now_boottime(), &b->supervisor);
}

static void quiet(int level, const char *guest, const char *service, const char *line)
{
	if (level <= LOG_WARNING)
		(void)fprintf(
			stderr, "%s %s: %s\n", guest ? guest : "", service ? service : "", line);
}

static int probe(
	struct bench *b, const char *dir, unsigned base, unsigned guests, unsigned services)
{
	static const struct prober_vtable vtable = { .ask = count_ask, .cancel = count_cancel };
	struct worker_pool *pool = NULL;
	struct reason reason = { "" };
	struct store *store = NULL;
	struct bus *bus = NULL;

	b->prober.prober.vtable = &vtable;
	b->timeline.now = now_boottime();
	b->hv = fake_hv_new(&b->timeline);
	(void)signal(SIGPIPE, SIG_IGN);
	log_set_sink(quiet);
	int r = write_config(dir, base, guests, services);
	if (r >= 0)
		r = layout_open(dir, &reason);
	if (r >= 0)
		r = sd_event_default(&b->event);
	if (r >= 0)
		r = worker_pool_new(b->event, &pool);
	if (r >= 0)
		r = http_prober_new(b->event, &b->prober.real);
	if (r >= 0)
		r = filestore_new(pool, dir, &store);
	if (r >= 0)
		r = make_supervisor(b, dir, store);
	if (r >= 0)
		r = bus_new(b->event, b->supervisor, dir, &bus);
	if (r >= 0)
		r = b->hv->hv.vtable->connect(&b->hv->hv);
	if (r >= 0)
		r = sd_event_add_time(
			b->event, &b->timer, CLOCK_BOOTTIME, 0, 10 * USEC_PER_MSEC, on_timer, b);
	if (r >= 0)
		r = sd_event_source_set_prepare(b->timer, on_prepare);
	if (r >= 0)
		r = sd_event_source_set_enabled(b->timer, SD_EVENT_ON);
	if (r >= 0)
		r = sd_event_add_time_relative(
			b->event, NULL, CLOCK_BOOTTIME, b->warm * USEC_PER_SEC, 0, on_warm, b);
	if (r < 0)
		return fail("cannot begin", -r);
	return sd_event_loop(b->event);
}

int main(int argc, char **argv)
{
	unsigned n[5] = { 0 };

	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
	for (int i = 0; argc == 8 && i < 5; i++)
		n[i] = (unsigned)atoi(argv[3 + i]);
	if (argc == 8 && strcmp(argv[1], "probe") == 0) {
		struct bench b = { .warm = n[3], .seconds = n[4] };

		return probe(&b, argv[2], n[0], n[1], n[2]);
	}
	(void)fprintf(stderr,
		"usage: %s serve BASE N | probe DIR BASE GUESTS SERVICES WARM SECONDS\n", argv[0]);
	return 2;
}
