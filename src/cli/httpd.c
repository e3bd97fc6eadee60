/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd on sd-event. */
#include "cli/httpd.h"

#include "base/log.h"
#include "base/macro.h"
#include "cli/page.h"
#include "io/worker.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* A client of the daemon may need some questions for one answer. */
#define JOB_MAX (4 * HTTPD_ASK_MAX)

struct connection {
	struct connection *next;
	struct MHD_Connection *mhd;
	int fd;
	usec_t since;  /* its present request, or the wait for one, began */
	bool begun;    /* the handler has seen the request */
	bool waiting;  /* suspended, for the answer of `kind` */
	bool answered; /* that answer is there */
	bool cut;
	enum scrape_kind kind;
};

/* The latest answer of each kind. */
struct answer {
	struct MHD_Response *response; /* NULL: never asked */
	unsigned status;
	usec_t at;
	bool asked; /* a job is under way */
};

struct httpd {
	struct httpd_config config;
	sd_event_source *io, *timer;
	struct worker_pool *pool;
	struct worker_queue *queue;
	struct MHD_Daemon *mhd;
	struct MHD_Response *page;
	struct connection *connections;
	unsigned n_connections;
	usec_t idle_since;
	struct answer answers[SCRAPE_NUM];
};

struct job {
	struct httpd *h;
	enum scrape_kind kind;
	char *runtime;
	int error;
	char *text;
	size_t len;
	char why[SCRAPE_WHY_MAX];
};

/* Answers ---- */

static void add_headers(struct MHD_Response *r, const char *type)
{
	static const char *const headers[][2] = {
		{ "Cache-Control", "no-store" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Content-Security-Policy",
			"default-src 'none'; connect-src 'self'; script-src " PAGE_SCRIPT
			"; style-src " PAGE_STYLE
			"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
	};

	(void)MHD_add_response_header(r, "Content-Type", type);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		(void)MHD_add_response_header(r, headers[i][0], headers[i][1]);
}

/* Takes `text` over where it is to be freed. NULL: no memory. */
static struct MHD_Response *response_of(
	char *text, size_t len, enum MHD_ResponseMemoryMode mode, const char *type)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, text, mode);

	if (!r && mode == MHD_RESPMEM_MUST_FREE)
		free(text);
	if (r)
		add_headers(r, type);
	return r;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *words)
{
	/* Copied by the library, which takes no pointer to what is constant. */
	struct MHD_Response *r = response_of(
		(char *)words, strlen(words), MHD_RESPMEM_MUST_COPY, "text/plain; charset=utf-8");
	enum MHD_Result done = MHD_NO;

	if (!r)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(r, "Allow", "GET, HEAD");
	done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

/* Asking the daemon ---- */

static void job_run(void *arg)
{
	struct job *j = arg;

	j->error = scrape(j->runtime, j->kind, HTTPD_ASK_MAX, &j->text, &j->len, j->why);
}

static void job_free(void *arg)
{
	struct job *j = arg;

	free(j->text);
	free(j->runtime);
	free(j);
}

static void set_answer(struct answer *a, unsigned status, struct MHD_Response *response)
{
	if (a->response)
		MHD_destroy_response(a->response);
	a->response = response;
	a->status = status;
}

static void answer_wanted(struct httpd *h, enum scrape_kind kind)
{
	for (struct connection *c = h->connections; c; c = c->next) {
		if (!c->waiting || c->kind != kind)
			continue;
		c->waiting = false;
		c->answered = true;
		MHD_resume_connection(c->mhd);
	}
}

static void job_done(void *arg, int error, usec_t now)
{
	struct job *j = arg;
	struct httpd *h = j->h;
	struct answer *a = &h->answers[j->kind];
	char words[SCRAPE_WHY_MAX + 2];

	a->asked = false;
	a->at = now;
	if (error == 0 && j->error == 0) {
		set_answer(a, MHD_HTTP_OK,
			response_of(TAKE_PTR(j->text), j->len, MHD_RESPMEM_MUST_FREE,
				http_type(j->kind)));
	} else {
		(void)snprintf(words, sizeof(words), "%s\n",
			error == 0 ? j->why : "mediakitd does not answer in time");
		set_answer(a, MHD_HTTP_SERVICE_UNAVAILABLE,
			response_of(words, strlen(words), MHD_RESPMEM_MUST_COPY,
				"text/plain; charset=utf-8"));
	}
	answer_wanted(h, j->kind);
	(void)sd_event_source_set_time(h->timer, 0);
}

static int ask(struct httpd *h, enum scrape_kind kind)
{
	struct job *j = calloc(1, sizeof(*j));
	const struct worker_job job = {
		.run = job_run, .done = job_done, .free = job_free, .arg = j, .timeout = JOB_MAX
	};
	int r = -ENOMEM;

	if (j && (j->runtime = strdup(h->config.runtime))) {
		j->h = h;
		j->kind = kind;
		r = worker_submit(h->queue, &job);
	}
	if (r == 0)
		h->answers[kind].asked = true;
	else if (j)
		job_free(j);
	return r;
}

/* Requests ---- */

struct host {
	const char *value;
	unsigned n;
};

static enum MHD_Result each_header(
	void *userdata, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct host *host = userdata;

	(void)kind;
	if (strcasecmp(key, "Host") == 0) {
		host->value = value;
		host->n++;
	}
	return MHD_YES;
}

static bool host_allowed(const struct httpd *h, struct MHD_Connection *mhd)
{
	struct host host = { NULL, 0 };

	(void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, each_header, &host);
	return host.n == 1 &&
	       http_host_allowed(host.value, h->config.port, h->config.hosts, h->config.n_hosts);
}

static enum MHD_Result give(struct connection *c, const struct answer *a)
{
	return a->response ? MHD_queue_response(c->mhd, a->status, a->response) : MHD_NO;
}

static enum MHD_Result serve(struct httpd *h, struct connection *c, const char *url)
{
	enum http_place place = http_place_of(url);

	if (place == PLACE_NONE)
		return refuse(c->mhd, MHD_HTTP_NOT_FOUND,
			"there are /, /metrics, /status.json and /history.json\n");
	if (place == PLACE_PAGE)
		return MHD_queue_response(c->mhd, MHD_HTTP_OK, h->page);
	c->kind = http_scrape_kind(
		place, MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, "Accept"));

	struct answer *a = &h->answers[c->kind];
	if (!a->asked && a->response && usec_sub(now_boottime(), a->at) < HTTPD_FRESH)
		return give(c, a);
	if (!a->asked && ask(h, c->kind) < 0)
		return refuse(c->mhd, MHD_HTTP_SERVICE_UNAVAILABLE,
			"mediakitd does not answer in time\n");
	c->waiting = true;
	MHD_suspend_connection(c->mhd);
	return MHD_YES;
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return i ? i->socket_context : NULL;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request)
{
	struct httpd *h = userdata;
	struct connection *c = connection_of(mhd);

	(void)version, (void)upload, (void)upload_size, (void)request;
	if (!c)
		return MHD_NO;
	/* The first call comes before a body, the refusals' place: none is ever read. */
	if (!c->begun) {
		c->begun = true;
		if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
			return refuse(mhd, MHD_HTTP_METHOD_NOT_ALLOWED, "this page only shows\n");
		if (!host_allowed(h, mhd))
			return refuse(mhd, MHD_HTTP_FORBIDDEN,
				"this Host is not served: ask localhost or 127.0.0.1 with the "
				"port, or name it with --host=\n");
		return MHD_YES;
	}
	if (*upload_size > 0)
		return MHD_NO;
	return c->answered ? give(c, &h->answers[c->kind]) : serve(h, c, url);
}

static void on_completed(void *userdata, struct MHD_Connection *mhd, void **request,
	enum MHD_RequestTerminationCode code)
{
	struct connection *c = connection_of(mhd);

	(void)userdata, (void)request, (void)code;
	if (!c)
		return;
	c->since = now_boottime();
	c->begun = c->answered = c->waiting = false;
}

/* Connections ---- */

static void cut(struct connection *c)
{
	c->cut = true;
	(void)shutdown(c->fd, SHUT_RDWR);
}

/* The one whose request is the oldest; those that wait for us are not to blame. */
static void make_room(struct httpd *h)
{
	struct connection *oldest = NULL;

	for (struct connection *c = h->connections; c; c = c->next)
		if (!c->waiting && !c->cut && (!oldest || c->since <= oldest->since))
			oldest = c;
	if (oldest)
		cut(oldest);
}

static void connection_begin(struct httpd *h, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *c = calloc(1, sizeof(*c));

	*context = c;
	if (!c)
		return;
	c->mhd = mhd;
	c->fd = info ? info->connect_fd : -1;
	c->since = now_boottime();
	if (h->n_connections >= HTTPD_CONNECTIONS_MAX)
		make_room(h);
	c->next = h->connections;
	h->connections = c;
	h->n_connections++;
}

static void connection_end(struct httpd *h, struct connection *c)
{
	for (struct connection **at = &h->connections; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	free(c);
	h->n_connections--;
	h->idle_since = now_boottime();
}

static void on_connection(void *userdata, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	struct httpd *h = userdata;

	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		connection_begin(h, mhd, context);
	else if (*context)
		connection_end(h, *context);
}

usec_t httpd_idle_since(const struct httpd *h)
{
	return h->n_connections > 0 ? USEC_INFINITY : h->idle_since;
}

/* The loop ---- */

/* Cuts what took too long, and returns when the next one will have. */
static usec_t cut_late(struct httpd *h, usec_t now)
{
	usec_t next = USEC_INFINITY;

	for (struct connection *c = h->connections; c; c = c->next) {
		usec_t due = usec_add(c->since, HTTPD_REQUEST_MAX);

		if (c->waiting || c->cut)
			continue;
		if (now >= due)
			cut(c);
		else
			next = MIN(next, due);
	}
	return next;
}

static int turn(struct httpd *h)
{
	MHD_UNSIGNED_LONG_LONG ms;
	usec_t now = now_boottime(), next;

	(void)MHD_run(h->mhd);
	next = cut_late(h, now);
	if (MHD_get_timeout(h->mhd, &ms) == MHD_YES)
		next = MIN(next, usec_add(now, ms * USEC_PER_MSEC));
	int r = sd_event_source_set_time(h->timer, next);
	return r < 0 ? r : sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source, (void)fd, (void)events;
	return turn(userdata);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source, (void)usec;
	return turn(userdata);
}

static void log_mhd(void *userdata, const char *format, va_list ap)
{
	char line[256];

	(void)userdata;
	/* What strangers send is no news. */
	(void)vsnprintf(line, sizeof(line), format, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
}

static int start(struct httpd *h, sd_event *event)
{
	h->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
		MHD_OPTION_LISTEN_SOCKET, (MHD_socket)h->config.fd, MHD_OPTION_CONNECTION_LIMIT,
		HTTPD_CONNECTIONS_MAX + 16, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HTTPD_MEMORY_MAX, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
	if (!h->mhd)
		return -EIO;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -EIO;
	int r = sd_event_add_io(event, &h->io, info->epoll_fd, EPOLLIN, on_io, h);
	if (r >= 0)
		r = sd_event_add_time(event, &h->timer, CLOCK_BOOTTIME, 0, 1, on_timer, h);
	return r;
}

int httpd_new(sd_event *event, const struct httpd_config *config, struct httpd **ret)
{
	struct httpd *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->config = *config;
	h->idle_since = now_boottime();
	h->page = response_of((char *)page_html, strlen(page_html), MHD_RESPMEM_PERSISTENT,
		"text/html; charset=utf-8");
	int r = h->page ? worker_pool_new(event, &h->pool) : -ENOMEM;
	if (r >= 0)
		r = worker_queue_new(h->pool, "ask", SCRAPE_NUM, &h->queue);
	if (r >= 0)
		r = start(h, event);
	if (r < 0) {
		httpd_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void httpd_free(struct httpd *h)
{
	if (!h)
		return;
	/* Nobody may be suspended when the server stops. */
	for (unsigned kind = 0; kind < SCRAPE_NUM; kind++)
		answer_wanted(h, (enum scrape_kind)kind);
	sd_event_source_disable_unref(h->io);
	sd_event_source_disable_unref(h->timer);
	if (h->mhd)
		MHD_stop_daemon(h->mhd);
	worker_queue_free(h->queue);
	worker_pool_free(h->pool);
	for (unsigned kind = 0; kind < SCRAPE_NUM; kind++)
		set_answer(&h->answers[kind], 0, NULL);
	if (h->page)
		MHD_destroy_response(h->page);
	free(h);
}
