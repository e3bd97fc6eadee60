/* SPDX-License-Identifier: Apache-2.0 */
/* The key table as a whole: its sections, and finding a key. */
#include "model/conf_keys.h"

#include "model/conf_keys_table.h"

static const char *const conf_section_names[] = {
	[CONF_SECTION_DAEMON] = "Daemon",
	[CONF_SECTION_POOL] = "Pool",
	[CONF_SECTION_GUEST] = "Guest",
	[CONF_SECTION_IMAGE] = "Image",
	[CONF_SECTION_NETWORK] = "Network",
	[CONF_SECTION_CLOUDINIT] = "CloudInit",
	[CONF_SECTION_MEMORY] = "Memory",
	[CONF_SECTION_SHUTDOWN] = "Shutdown",
	[CONF_SECTION_RESTART] = "Restart",
	[CONF_SECTION_BOOT] = "Boot",
	[CONF_SECTION_BACKUP] = "Backup",
	[CONF_SECTION_SERVICE] = "Service",
};
NAME_TABLE_DEFINE(conf_section, enum conf_section, CONF_SECTION_NUM);

static const char *const conf_effect_names[] = {
	[CONF_LIVE] = "live",
	[CONF_NEXT_BOOT] = "next-boot",
	[CONF_RESTART_DAEMON] = "restart-daemon",
	[CONF_PROVISION] = "provision",
};
NAME_TABLE_DEFINE(conf_effect, enum conf_effect, CONF_EFFECT_NUM);

const struct conf_key *conf_key(unsigned id)
{
	if (id >= CONF_KEY_SERVICE_FIRST)
		return &conf_keys_service[id - CONF_KEY_SERVICE_FIRST];
	if (id >= CONF_KEY_GUEST_FIRST)
		return &conf_keys_guest[id - CONF_KEY_GUEST_FIRST];
	return &conf_keys_host[id];
}

enum conf_object conf_section_object(enum conf_section section)
{
	switch (section) {
	case CONF_SECTION_DAEMON:
	case CONF_SECTION_POOL:
		return CONF_OBJECT_DAEMON;
	case CONF_SECTION_SERVICE:
		return CONF_OBJECT_SERVICE;
	default:
		return CONF_OBJECT_GUEST;
	}
}

int conf_key_find(enum conf_section section, const char *name)
{
	for (unsigned i = 0; i < CONF_KEY_NUM; i++)
		if (conf_key(i)->section == section && strcmp(conf_key(i)->name, name) == 0)
			return (int)i;
	return -ENOENT;
}

const char *conf_key_default(const struct conf_key *key)
{
	if (key->default_text)
		return key->default_text;
	return key->preset ? key->preset : "none";
}
