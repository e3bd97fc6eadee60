/* SPDX-License-Identifier: Apache-2.0 */
/* The program mediakitd-metrics: options, the listening socket, and an end once nobody has come for
 * a while. It is a program of its own so that what strangers' bytes reach has no connection to
 * libvirt, no state and no socket that could change anything. */
#include "base/log.h"
#include "base/macro.h"
#include "base/parse.h"
#include "bus/names.h"
#include "cli/httpd.h"
#include "cli/verb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

static const char usage[] =
	"Usage: mediakitd-metrics [--runtime=DIR] [--host=NAME[:PORT]]... [--idle=SPAN]\n"
	"                         [--port=PORT]\n"
	"\n"
	"Serves /metrics, the status page at /, /status.json and /history.json. systemd starts\n"
	"it when somebody connects to mediakitd-metrics.socket.\n"
	"\n"
	"  --runtime=DIR  where the daemon's socket is (default " BUS_RUNTIME_DEFAULT ")\n"
	"  --host=NAME    a further Host header to serve, with its port where it has one, as a\n"
	"                 proxy sends it; at most 8. Without: localhost, 127.0.0.1 and [::1]\n"
	"                 with the port\n"
	"  --idle=SPAN    end once nobody was connected for so long (default 5min; infinity)\n"
	"  --port=PORT    listen on 127.0.0.1 by itself, for a look by hand; then it stays\n"
	"\n"
	"Exit status: 0 ended, 1 failed, 2 usage.\n";

#define LISTEN_BACKLOG 64

struct options {
	struct httpd_config http;
	const char *hosts[HTTP_HOSTS_MAX];
	usec_t idle;
};

struct exporter {
	struct httpd *httpd;
	usec_t idle;
};

/* 0 go on, 1 help was printed, -EINVAL told. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "runtime", required_argument, NULL, 'r' },
		{ "host", required_argument, NULL, 'o' },
		{ "idle", required_argument, NULL, 'i' },
		{ "port", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
		if (c == 'r')
			o->http.runtime = optarg;
		else if (c == 'o' && o->http.n_hosts < HTTP_HOSTS_MAX)
			o->hosts[o->http.n_hosts++] = optarg;
		else if (c == 'i')
			r = parse_timespan(optarg, &o->idle);
		else if (c == 'p')
			r = parse_port(optarg, &o->http.port);
		else if (c == 'h')
			return fputs(usage, stdout) < 0 ? -EIO : 1;
		else
			r = -EINVAL;
	}
	if (r == 0 && optind == argc)
		return 0;
	(void)fputs("mediakitd-metrics: wrong usage; see --help\n", stderr);
	return -EINVAL;
}

static int listen_on(uint16_t port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, LISTEN_BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* The port a socket listens on, or -errno for one that we do not serve. */
static int port_of(int fd, uint16_t *ret)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(address);

	if (getsockname(fd, &address.any, &len) < 0)
		return -errno;
	if (address.any.sa_family == AF_INET)
		*ret = ntohs(address.v4.sin_port);
	else if (address.any.sa_family == AF_INET6)
		*ret = ntohs(address.v6.sin6_port);
	else
		return -EAFNOSUPPORT;
	return 0;
}

static int take_socket(struct options *o)
{
	int flags;

	if (o->http.port) {
		o->http.fd = listen_on(o->http.port);
		o->idle = USEC_INFINITY;
		return o->http.fd < 0 ? o->http.fd : 0;
	}
	if (sd_listen_fds(1) != 1)
		return -ENOTCONN;
	o->http.fd = SD_LISTEN_FDS_START;
	/* systemd hands it over blocking: somebody who is gone before we take him would stop all.
	 */
	if ((flags = fcntl(o->http.fd, F_GETFL)) < 0 ||
		fcntl(o->http.fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return port_of(o->http.fd, &o->http.port);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
	const struct exporter *x = userdata;
	usec_t since = httpd_idle_since(x->httpd), now = now_boottime();
	usec_t due = usec_add(since == USEC_INFINITY ? now : since, x->idle);

	(void)usec;
	/* Who connects from here on is kept in the socket's queue, and systemd starts another. */
	if (now >= due)
		return sd_event_exit(sd_event_source_get_event(source), 0);
	int r = sd_event_source_set_time(source, due);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int make_loop(sd_event **ret)
{
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	int r = sd_event_default(ret);
	/* Without a handler of ours a signal ends the loop. */
	if (r >= 0)
		r = sd_event_add_signal(*ret, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(*ret, NULL, SIGINT, NULL, NULL);
	return r;
}

static int serve(const struct options *o)
{
	struct exporter x = { .idle = o->idle };
	sd_event *event = NULL;
	int r = make_loop(&event);

	if (r >= 0)
		r = httpd_new(event, &o->http, &x.httpd);
	if (r >= 0 && o->idle != USEC_INFINITY)
		r = sd_event_add_time(event, NULL, CLOCK_BOOTTIME, 0, USEC_PER_SEC, on_idle, &x);
	if (r >= 0) {
		(void)sd_notify(0, "READY=1");
		r = sd_event_loop(event);
	}
	httpd_free(x.httpd);
	sd_event_unref(event);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = { .http = { .fd = -1, .runtime = BUS_RUNTIME_DEFAULT },
		.idle = 5 * USEC_PER_MINUTE };
	int r = parse_options(argc, argv, &o);

	if (r != 0)
		return r > 0 ? CLI_OK : CLI_USAGE;
	o.http.hosts = o.hosts;
	r = take_socket(&o);
	if (r == -ENOTCONN) {
		log_error("there is no socket: systemd passes one (mediakitd-metrics.socket), or "
			  "give --port=");
		return CLI_USAGE;
	}
	if (r < 0) {
		log_error("cannot listen on 127.0.0.1:%u: %s", (unsigned)o.http.port, strerror(-r));
		return CLI_FAILED;
	}
	r = serve(&o);
	if (r < 0)
		log_error("cannot serve: %s", strerror(-r));
	return r < 0 ? CLI_FAILED : CLI_OK;
}
