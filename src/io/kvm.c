/* SPDX-License-Identifier: Apache-2.0 */
/* KVM tried out in a child: a kernel module that hangs takes the child with it, not us. */
#include "io/kvm.h"

#include "base/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KVM_GROUPS_MAX 64
#define KVM_API        12 /* the only one there will be (Documentation/virt/kvm/api.rst, 4.1) */

enum stage {
	STAGE_USER, /* taking on the user's rights */
	STAGE_OPEN,
	STAGE_API,
	STAGE_VM,
	STAGE_MEMORY,
	STAGE_VCPU,
	STAGE_RUN,
	STAGE_DONE,
	STAGE_NUM,
};

static const char *const stage_words[] = {
	[STAGE_USER] = "cannot take on the user's rights",
	[STAGE_OPEN] = "/dev/kvm cannot be opened",
	[STAGE_API] = "/dev/kvm does not speak KVM's API",
	[STAGE_VM] = "/dev/kvm makes no virtual machine",
	[STAGE_MEMORY] = "KVM takes no memory for a virtual machine",
	[STAGE_VCPU] = "KVM makes no virtual CPU",
	[STAGE_RUN] = "KVM does not run code",
	[STAGE_DONE] = "works",
};
static_assert(ARRAY_SIZE(stage_words) == STAGE_NUM, "a stage without words");

/* What the child writes into the pipe. */
struct outcome {
	enum stage stage; /* that it got to */
	int error;        /* an errno, or 0 */
};

/* Looked up before the fork: the child of a program with threads may not. */
struct rights {
	uid_t uid;
	gid_t gid;
	gid_t groups[KVM_GROUPS_MAX];
	int n_groups;
};

#if defined(__x86_64__)
/* HLT at the start of a page at 0x1000, entered in real mode. */
static int vm_load(int vm, int vcpu)
{
	struct kvm_userspace_memory_region region = { .guest_phys_addr = 0x1000,
		.memory_size = 0x1000 };
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	uint8_t *page =
		mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	page[0] = 0xf4;
	region.userspace_addr = (uint64_t)(uintptr_t)page;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 ||
		ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

static int vcpu_run(int kvm, int vcpu)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run;

	if (size < (int)sizeof(*run))
		return size < 0 ? -errno : -EIO;
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || ioctl(vcpu, KVM_RUN, 0) < 0)
		return -errno;
	return run->exit_reason == KVM_EXIT_HLT ? 0 : -EIO;
}
#else
/* Elsewhere the registers differ; that a virtual CPU can be made has to do. */
static int vm_load(int vm, int vcpu)
{
	(void)vm;
	(void)vcpu;
	return 0;
}

static int vcpu_run(int kvm, int vcpu)
{
	(void)kvm;
	(void)vcpu;
	return 0;
}
#endif

/* The stages of the child, from the open device on. Descriptors and pages go with the process. */
static struct outcome kvm_try(int kvm)
{
	int vm, vcpu, r;

	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API)
		return (struct outcome){ STAGE_API, errno };
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return (struct outcome){ STAGE_VM, errno };
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return (struct outcome){ STAGE_VCPU, errno };
	r = vm_load(vm, vcpu);
	if (r < 0)
		return (struct outcome){ STAGE_MEMORY, -r };
	r = vcpu_run(kvm, vcpu);
	if (r < 0)
		return (struct outcome){ STAGE_RUN, -r };
	return (struct outcome){ STAGE_DONE, 0 };
}

static struct outcome child(const struct rights *rights, bool only_open)
{
	int kvm;

	errno = 0;
	if (rights && (setgroups((size_t)rights->n_groups, rights->groups) < 0 ||
			      setresgid(rights->gid, rights->gid, rights->gid) < 0 ||
			      setresuid(rights->uid, rights->uid, rights->uid) < 0))
		return (struct outcome){ STAGE_USER, errno };
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return (struct outcome){ STAGE_OPEN, errno };
	return only_open ? (struct outcome){ STAGE_DONE, 0 } : kvm_try(kvm);
}

static int rights_find(const char *user, struct rights *ret)
{
	char data[4096];
	struct passwd entry, *found = NULL;
	int n = KVM_GROUPS_MAX;

	if (getpwnam_r(user, &entry, data, sizeof(data), &found) != 0 || !found)
		return -ESRCH;
	ret->uid = entry.pw_uid;
	ret->gid = entry.pw_gid;
	/* More groups than we have room for: those we have are the first, and one of them may
	 * do. */
	if (getgrouplist(user, entry.pw_gid, ret->groups, &n) < 0)
		n = KVM_GROUPS_MAX;
	ret->n_groups = n;
	return 0;
}

/* Waits for the child's outcome, at most that long. */
static int outcome_await(int fd, usec_t timeout, struct outcome *ret)
{
	usec_t end = usec_add(now_boottime(), timeout);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do {
		usec_t left = usec_sub(end, now_boottime());

		n = poll(&p, 1, (int)MIN(left / USEC_PER_MSEC, (usec_t)INT32_MAX));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIMEDOUT;
	/* Less than all is a child that died before it could write. */
	return read(fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret) ? 0 : -EIO;
}

/* A child that hangs in the kernel cannot be waited for: it is left to init. */
static void child_end(pid_t pid, bool hangs)
{
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, hangs ? WNOHANG : 0) < 0 && errno == EINTR)
		;
}

static int child_run(
	const struct rights *rights, bool only_open, usec_t timeout, struct outcome *ret)
{
	int fds[2], r = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		r = -errno;
	} else if (pid == 0) {
		struct outcome outcome = child(rights, only_open);

		_exit(write(fds[1], &outcome, sizeof(outcome)) == (ssize_t)sizeof(outcome) ? 0 : 1);
	}
	(void)close(fds[1]);
	if (pid > 0) {
		r = outcome_await(fds[0], timeout, ret);
		child_end(pid, r == -ETIMEDOUT);
	}
	(void)close(fds[0]);
	return r;
}

static int check(const char *user, bool only_open, usec_t timeout, char *why, size_t size)
{
	struct rights rights;
	struct outcome outcome = { STAGE_USER, 0 };
	int r = 0;

	if (access("/dev/kvm", F_OK) < 0) {
		(void)snprintf(why, size, "there is no /dev/kvm");
		return -ENOENT;
	}
	if (user)
		r = rights_find(user, &rights);
	if (r < 0) {
		(void)snprintf(why, size, "there is no user %s", user);
		return r;
	}
	r = child_run(user ? &rights : NULL, only_open, timeout, &outcome);
	if (r < 0) {
		(void)snprintf(
			why, size, r == -ETIMEDOUT ? "KVM hangs" : "KVM cannot be tried out");
		return r;
	}
	if (outcome.stage == STAGE_DONE)
		return 0;
	(void)snprintf(why, size, "%s%s%s%s%s", stage_words[outcome.stage], user ? " by " : "",
		user ? user : "", outcome.error ? ": " : "",
		outcome.error ? strerror(outcome.error) : "");
	if (outcome.stage > STAGE_OPEN || outcome.error == 0)
		return -EIO;
	return outcome.error == EPERM ? -EACCES : -outcome.error;
}

int kvm_check(const char *user, usec_t timeout, char *why, size_t size)
{
	return check(user, false, timeout, why, size);
}

int kvm_reachable(const char *user, usec_t timeout, char *why, size_t size)
{
	return check(user, true, timeout, why, size);
}
