/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox: an array in order of arrival under a lock. 64 entries need no cleverer structure. */
#include "virt/mailbox.h"

#include "base/macro.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

struct mailbox {
	atomic_uint refs;
	int fd;
	pthread_mutex_t lock; /* over all below */
	struct mail mails[MAILBOX_MAX];
	size_t len;
	bool overflow;
	bool closed;
	unsigned closed_generation;
	char closed_words[MAILBOX_WORDS_MAX];
};

int mailbox_new(struct mailbox **ret)
{
	struct mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (!mailbox)
		return -ENOMEM;
	mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mailbox->fd < 0) {
		int r = -errno;

		free(mailbox);
		return r;
	}
	(void)pthread_mutex_init(&mailbox->lock, NULL);
	atomic_init(&mailbox->refs, 1);
	*ret = mailbox;
	return 0;
}

struct mailbox *mailbox_ref(struct mailbox *mailbox)
{
	(void)atomic_fetch_add(&mailbox->refs, 1);
	return mailbox;
}

void mailbox_unref(struct mailbox *mailbox)
{
	if (!mailbox || atomic_fetch_sub(&mailbox->refs, 1) > 1)
		return;
	(void)close(mailbox->fd);
	pthread_mutex_destroy(&mailbox->lock);
	free(mailbox);
}

int mailbox_fd(const struct mailbox *mailbox)
{
	return mailbox->fd;
}

void mailbox_wake(struct mailbox *mailbox)
{
	uint64_t one = 1;

	/* Fails only when the counter is full, and then the main loop is woken already. */
	(void)!write(mailbox->fd, &one, sizeof(one));
}

/* Called locked. */
static struct mail *mailbox_find(struct mailbox *mailbox, enum hv_hint hint, const char *uuid)
{
	for (size_t i = 0; i < mailbox->len; i++)
		if (mailbox->mails[i].hint == hint && strcmp(mailbox->mails[i].uuid, uuid) == 0)
			return &mailbox->mails[i];
	return NULL;
}

void mailbox_post(struct mailbox *mailbox, enum hv_hint hint, const char *uuid, uint64_t kib)
{
	struct mail *mail;

	pthread_mutex_lock(&mailbox->lock);
	mail = mailbox_find(mailbox, hint, uuid);
	if (!mail && mailbox->len < MAILBOX_MAX) {
		mail = &mailbox->mails[mailbox->len++];
		mail->hint = hint;
		(void)snprintf(mail->uuid, sizeof(mail->uuid), "%s", uuid);
	}
	if (mail)
		mail->kib = kib;
	else
		mailbox->overflow = true;
	pthread_mutex_unlock(&mailbox->lock);
	mailbox_wake(mailbox);
}

void mailbox_post_closed(struct mailbox *mailbox, unsigned generation, const char *words)
{
	pthread_mutex_lock(&mailbox->lock);
	if (!mailbox->closed || generation > mailbox->closed_generation) {
		mailbox->closed = true;
		mailbox->closed_generation = generation;
		(void)snprintf(mailbox->closed_words, sizeof(mailbox->closed_words), "%s", words);
	}
	pthread_mutex_unlock(&mailbox->lock);
	mailbox_wake(mailbox);
}

void mailbox_clear(struct mailbox *mailbox)
{
	uint64_t count;

	(void)!read(mailbox->fd, &count, sizeof(count));
}

bool mailbox_take(struct mailbox *mailbox, struct mail *ret)
{
	bool any;

	pthread_mutex_lock(&mailbox->lock);
	any = mailbox->len > 0;
	if (any) {
		*ret = mailbox->mails[0];
		mailbox->len--;
		memmove(&mailbox->mails[0], &mailbox->mails[1],
			mailbox->len * sizeof(mailbox->mails[0]));
	}
	pthread_mutex_unlock(&mailbox->lock);
	return any;
}

bool mailbox_take_overflow(struct mailbox *mailbox)
{
	bool overflow;

	pthread_mutex_lock(&mailbox->lock);
	overflow = mailbox->overflow;
	mailbox->overflow = false;
	pthread_mutex_unlock(&mailbox->lock);
	return overflow;
}

bool mailbox_take_closed(struct mailbox *mailbox, unsigned *ret_generation, char *ret_words)
{
	bool closed;

	pthread_mutex_lock(&mailbox->lock);
	closed = mailbox->closed;
	if (closed) {
		*ret_generation = mailbox->closed_generation;
		memcpy(ret_words, mailbox->closed_words, sizeof(mailbox->closed_words));
		mailbox->closed = false;
	}
	pthread_mutex_unlock(&mailbox->lock);
	return closed;
}
