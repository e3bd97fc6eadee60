/* SPDX-License-Identifier: Apache-2.0 */
/* The composition root of the daemon: makes the parts, joins them on one event loop, and takes them
 * apart.
 *
 * Theory of operation: sd-event calls the parts; whatever they learn lands in core's fields. One
 * timer source carries the whole of core: its prepare callback runs once per loop turn, after
 * everything that was dispatched, lets core do what is due, and arms the timer for what is next. So
 * nobody has to remember to wake core up, and core never sees sd-event. */
#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "bus/bus.h"
#include "cli/args.h"
#include "cli/verb.h"
#include "core/supervisor.h"
#include "io/confdir.h"
#include "io/filebases.h"
#include "io/filesaves.h"
#include "io/filesnapshots.h"
#include "io/filestore.h"
#include "io/hostmem.h"
#include "io/http.h"
#include "io/kvm.h"
#include "io/layout.h"
#include "io/oomkill.h"
#include "io/ports.h"
#include "io/pressure.h"
#include "io/qemulog.h"
#include "io/room.h"
#include "io/worker.h"
#include "virt/embed.h"
#include "virt/hypervisor.h"

#include <errno.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

static const char usage_run[] =
	"run [--config=DIR] [--state=DIR] [--runtime=DIR]\n"
	"\n"
	"Runs the daemon in the foreground: adopts the guests that run, starts those that are "
	"wanted, probes their\n"
	"services and serves the sockets of the runtime directory. systemd starts it as "
	"mediakitd.service.\n"
	"\n"
	"  --config=DIR   configuration (default /etc/mediakitd)\n"
	"  --state=DIR    state directory, over StateDirectory= of the configuration\n"
	"  --runtime=DIR  sockets, over RuntimeDirectory= of the configuration\n"
	"\n"
	"SIGTERM and SIGINT end the daemon and leave the guests running: stop them first with "
	"`mediakitd stop` where\n"
	"they are to go. A snapshot that is being made is ended first, and the guest thawed, "
	"within 3 s; a second\n"
	"signal ends the daemon at once. SIGHUP reloads the configuration. Exit status: 0 ended by "
	"a signal, 1\n"
	"failed, 2 usage or configuration.\n";

/* How long trying KVM may hold up the start. */
#define KVM_TRY (3 * USEC_PER_SEC)

/* A guest that makes QEMU write a gigabyte a minute is seen by its load before it fills a disk. */
#define LOG_CHECK_EVERY (30 * USEC_PER_SEC)

struct daemon {
	sd_event *event;
	sd_event_source *timer;
	int lock_fd;
	struct worker_pool *pool;
	struct hv *hv;
	struct prober *prober;
	struct store *store;
	struct bases *bases;
	struct saves *saves;
	struct snapshots *snapshots;
	struct supervisor *supervisor;
	struct bus *bus;
	char status[128]; /* as last told to systemd */
	char *log_dir;    /* of an embedded driver's QEMU; NULL: virtlogd bounds the logs */
};

static double jitter(void)
{
	uint32_t v;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		return 0.5;
	return (double)v / ((double)UINT32_MAX + 1);
}

static void make_nonce(char ret[static 17])
{
	uint64_t v = 0;

	/* With the pool initialised, as it is long before a daemon runs, this takes whatever is
	 * asked at once. */
	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		v = now_boottime();
	(void)snprintf(ret, 17, "%016llx", (unsigned long long)v);
}

/* Tried once, before the loop runs, because trying takes time. */
static bool kvm_seen_to_work;

static bool kvm_works(void)
{
	return kvm_seen_to_work;
}

static void try_kvm(const struct spec *spec)
{
	char why[KVM_WHY_MAX] = "";
	bool asked = false;
	CLEANUP_FREE char *root = NULL;

	/* A libvirtd runs its guests where it is, with rights we need not have: it is asked. */
	if (virt_embed_root(spec->connection, &root) < 0)
		return;
	for (unsigned i = 0; i < spec->n_guests; i++)
		asked |= spec->guests[i].accel != ACCEL_TCG;
	if (!asked)
		return;
	/* As root libvirt runs QEMU as its own user, whose rights count. */
	kvm_seen_to_work =
		kvm_check(geteuid() == 0 ? EMBED_QEMU_USER : NULL, KVM_TRY, why, sizeof(why)) == 0;
	if (!kvm_seen_to_work)
		log_info("guests run under TCG: %s", why);
}

static void print_faults(const struct conf_faults *faults)
{
	for (unsigned i = 0; i < faults->n; i++)
		log_full(faults->list[i].warning ? LOG_WARNING : LOG_ERR, NULL, NULL, "%s",
			faults->list[i].text);
	if (faults->n_dropped)
		log_error("and %u more", faults->n_dropped);
}

/* One sentence for `systemctl status`. */
static void tell_systemd(struct daemon *d)
{
	const struct supervisor *s = d->supervisor;
	unsigned up = 0, healthy = 0;
	char status[sizeof(d->status)];

	for (unsigned i = 0; i < s->n_guests; i++) {
		up += guest_state_has_qemu(s->guests[i]->state);
		healthy += s->guests[i]->healthy;
	}
	(void)snprintf(status, sizeof(status), "%u of %u guests running, %u healthy%s", up,
		s->n_guests, healthy, s->hv_health.connected ? "" : "; libvirt is away");
	if (strcmp(status, d->status) == 0)
		return;
	memcpy(d->status, status, sizeof(status));
	(void)sd_notifyf(0, "STATUS=%s", status);
}

static int leave(const struct daemon *d)
{
	bus_leave_loop(d->bus);
	return sd_event_exit(d->event, 0);
}

/* The prepare callback does the work, on this and every other wake-up. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	const struct daemon *d = userdata;

	(void)source;
	(void)usec;
	return supervisor_may_end(d->supervisor, now_boottime()) ? leave(d) : 0;
}

static int on_prepare(sd_event_source *source, void *userdata)
{
	struct daemon *d = userdata;
	usec_t now = now_boottime();
	usec_t next = supervisor_run(d->supervisor, now);

	tell_systemd(d);
	if (supervisor_may_end(d->supervisor, now))
		next = now;
	/* It stays enabled: the prepare callback of a source that is off is not called. */
	return sd_event_source_set_time(source, next);
}

/* A second one, of somebody who does not want to wait, ends it at once. */
static int on_end(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	const struct daemon *d = userdata;

	(void)source;
	if (supervisor_is_ending(d->supervisor))
		return leave(d);
	event_note_daemon(d->supervisor, EVENT_DAEMON, LOG_NOTICE,
		"ending on %s; guests are left running",
		si->ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
	(void)sd_notify(0, "STOPPING=1");
	supervisor_end(d->supervisor, now_boottime());
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	struct daemon *d = userdata;
	struct conf_faults faults = { 0 };
	CLEANUP_FREE char *report = NULL;

	(void)source;
	(void)si;
	notify_reloading();
	if (supervisor_reload(d->supervisor, now_boottime(), &faults, &report) < 0)
		log_error("the configuration has faults; the old one stays in force");
	print_faults(&faults);
	conf_faults_clear(&faults);
	notify_ready();
	return 0;
}

static int failed(int error, const char *what)
{
	log_error("%s: %s", what, strerror(-error));
	return CLI_FAILED;
}

static int on_log_check(sd_event_source *source, uint64_t usec, void *userdata)
{
	const struct daemon *d = userdata;
	int r = qemulog_trim(d->log_dir, QEMULOG_MAX);

	if (r != 0)
		log_full(r < 0 ? LOG_WARNING : LOG_NOTICE, NULL, NULL, "%s: %s", d->log_dir,
			r < 0 ? strerror(-r) : "QEMU wrote more than a log may hold; it was cut");
	r = sd_event_source_set_time(source, usec_add(usec, LOG_CHECK_EVERY));
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int watch_logs(struct daemon *d, const char *uri)
{
	CLEANUP_FREE char *root = NULL;

	if (virt_embed_root(uri, &root) < 0)
		return 0;
	d->log_dir = path_join(root, "log/qemu");
	if (!d->log_dir)
		return -ENOMEM;
	return sd_event_add_time_relative(
		d->event, NULL, CLOCK_BOOTTIME, LOG_CHECK_EVERY, USEC_PER_SEC, on_log_check, d);
}

/* Before any thread is made, so that every thread inherits the mask and the signals come to the
 * loop alone. */
static int make_loop(struct daemon *d)
{
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	(void)signal(SIGPIPE, SIG_IGN);
	/* Two arenas: threads that call libvirt one after another need no eight. */
	(void)mallopt(M_ARENA_MAX, 2);
	int r = sd_event_default(&d->event);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGTERM, on_end, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGINT, on_end, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGHUP, on_reload, d);
	if (r >= 0)
		r = sd_event_set_watchdog(d->event, 1);
	return r;
}

/* Started by hand, as root say, it would leave files there that the service cannot read. */
static bool is_anothers(const char *state_dir)
{
	struct stat st;

	if (stat(state_dir, &st) < 0 || st.st_uid == geteuid())
		return false;
	const struct passwd *owner = getpwuid(st.st_uid);
	log_error("%s is of the user %s (uid %u), and this is uid %u: systemctl start mediakitd "
		  "runs it as the right one; another state directory is given by --state=DIR",
		state_dir, owner ? owner->pw_name : "without a name", st.st_uid, geteuid());
	return true;
}

static int open_state(struct daemon *d, const struct spec *spec)
{
	struct reason reason = { "" };

	if (is_anothers(spec->state_dir))
		return CLI_FAILED;
	if (layout_open(spec->state_dir, &reason) < 0) {
		log_error("%s", reason.text);
		return CLI_FAILED;
	}
	CLEANUP_FREE char *path = layout_state_lock(spec->state_dir);
	if (!path)
		return failed(-ENOMEM, "state directory");
	d->lock_fd = file_lock(path);
	if (d->lock_fd == -EWOULDBLOCK) {
		log_error("%s: another mediakitd runs on this state directory: end it first, or "
			  "give --state=",
			spec->state_dir);
		return CLI_FAILED;
	}
	if (d->lock_fd < 0)
		return failed(d->lock_fd, path);
	return CLI_OK;
}

static int make_parts(struct daemon *d, struct spec *spec, const char *config_dir)
{
	int r = worker_pool_new(d->event, &d->pool);
	if (r >= 0)
		r = virt_new(d->event, spec->connection, &d->hv);
	if (r >= 0)
		r = http_prober_new(d->event, &d->prober);
	if (r >= 0)
		r = filestore_new(d->pool, spec->state_dir, &d->store);
	if (r >= 0)
		r = filebases_new(d->pool, spec->state_dir, &d->bases);
	if (r >= 0)
		r = filesaves_new(d->pool, spec->state_dir, &d->saves);
	if (r >= 0)
		r = filesnapshots_new(d->pool, spec->state_dir, &d->snapshots);
	if (r >= 0)
		r = watch_logs(d, spec->connection);
	if (r < 0) {
		spec_free(spec);
		return failed(r, "cannot begin");
	}
	const struct supervisor_config config = {
		.spec = spec,
		.config_dir = config_dir,
		.hv = d->hv,
		.prober = d->prober,
		.store = d->store,
		.bases = d->bases,
		.saves = d->saves,
		.snapshots = d->snapshots,
		.kvm_works = kvm_works,
		.port_check = ports_check,
		.oomkill = &oomkill_kernel,
		.jitter = jitter,
		.pressure = pressure_cpu,
		.host_memory = hostmem_read,
		.disk_room = room_free,
		.digest = digest_buffer,
		.nonce = make_nonce,
		.qmp_dir = getenv("MEDIAKIT_TEST_QMP"),
	};
	r = supervisor_new(&config, now_boottime(), &d->supervisor);
	if (r < 0) {
		spec_free(spec);
		return failed(r, "cannot begin");
	}
	r = bus_new(d->event, d->supervisor, spec->runtime_dir, &d->bus);
	if (r < 0)
		return CLI_FAILED; /* told by the bus */
	r = bus_join_system(d->bus);
	if (r < 0)
		return failed(r, "system bus");
	return CLI_OK;
}

static int run_loop(struct daemon *d)
{
	int r = d->hv->vtable->connect(d->hv);

	if (r >= 0)
		r = sd_event_add_time(
			d->event, &d->timer, CLOCK_BOOTTIME, 0, 10 * USEC_PER_MSEC, on_timer, d);
	/* What others dispatch comes first, so that core sees a whole turn's news at once. */
	if (r >= 0)
		r = sd_event_source_set_prepare(d->timer, on_prepare);
	if (r >= 0)
		r = sd_event_source_set_enabled(d->timer, SD_EVENT_ON);
	if (r < 0)
		return failed(r, "cannot begin");
	notify_ready();
	r = sd_event_loop(d->event);
	return r < 0 ? failed(r, "the event loop broke") : CLI_OK;
}

/* The hypervisor and the looks at bases first: their answers would land in guests. The store last:
 * it writes what the guests left. */
static void take_apart(struct daemon *d)
{
	bus_free(d->bus);
	if (d->hv)
		d->hv->vtable->destroy(d->hv);
	if (d->bases)
		d->bases->vtable->destroy(d->bases);
	if (d->saves)
		d->saves->vtable->destroy(d->saves);
	if (d->snapshots)
		d->snapshots->vtable->destroy(d->snapshots);
	supervisor_free(d->supervisor);
	if (d->prober)
		d->prober->vtable->destroy(d->prober);
	if (d->store)
		d->store->vtable->destroy(d->store);
	worker_pool_free(d->pool);
	sd_event_source_unref(d->timer);
	sd_event_unref(d->event);
	free(d->log_dir);
	if (d->lock_fd >= 0)
		(void)close(d->lock_fd);
}

static int verb_run(int argc, char **argv)
{
	static const struct args_rule rule = { .words = "no operands" };
	struct daemon d = { .lock_fd = -1 };
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;
	char warning[256] = "";
	struct args args;

	int r = args_parse(argc, argv, &rule, &args);
	if (r != 0)
		return r;
	const char *config_dir = args.config ? args.config : CONFDIR_DEFAULT;
	r = confdir_load(
		config_dir, args.state, args.runtime_given ? args.runtime : NULL, &spec, &faults);
	print_faults(&faults);
	conf_faults_clear(&faults);
	if (r < 0)
		return CLI_USAGE;
	/* The embedded driver's own log would drown ours (every start "taints" a domain, every
	 * look-up that finds none is an error); what matters comes back as answers. */
	(void)setenv("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null", 0);
	/* Still alone: it may enter a mount namespace, which no other thread would follow into. */
	if (virt_embed_prepare(spec->connection, warning, sizeof(warning)) < 0)
		log_warning("%s", warning);
	try_kvm(spec);
	r = make_loop(&d);
	if (r < 0) {
		spec_free(spec);
		return failed(r, "event loop");
	}
	r = open_state(&d, spec);
	if (r == CLI_OK)
		r = make_parts(&d, spec, config_dir);
	else
		spec_free(spec);
	if (r == CLI_OK)
		r = run_loop(&d);
	take_apart(&d);
	return r;
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{ "run", "run the daemon in the foreground", verb_run, usage_run },
	};

	return verb_main(verbs, ARRAY_SIZE(verbs),
		"The daemon of mediakitd; `mediakitd run` starts it.", argc, argv);
}
