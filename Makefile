# SPDX-License-Identifier: Apache-2.0
# `make` builds, `make check` tests, `make demo` shows. Everything goes under build/ ($(B)).
#
# A directory of src/ is a floor (see README, Architecture). Each floor becomes an archive; a program names the floors it may
# use, and the linker takes only what it needs, so a forbidden dependency is a link error.

VERSION  := 0.1.0
B        ?= build
PREFIX   ?= /usr/local
CC       ?= gcc
CFLAGS   ?= -O2 -g
PKGCONF  ?= pkg-config
PYTHON   ?= /usr/bin/python3
WERROR   ?= -Werror

WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wimplicit-fallthrough \
	-Wformat=2 -Wundef $(WERROR)
CPPFLAGS_ALL := -D_GNU_SOURCE -DMEDIAKIT_VERSION='"$(VERSION)"' \
	-Iinclude $(CPPFLAGS)
CFLAGS_ALL := -std=gnu11 $(WARNINGS) -fno-common -fstack-protector-strong -ffunction-sections -fdata-sections \
	$(CFLAGS)
LDFLAGS_ALL := -Wl,--as-needed -Wl,--gc-sections -Wl,-z,relro,-z,now $(LDFLAGS)

# make V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' '$(1)' '$(2)')

FLOORS := base model policy io core virt bus cli

# Which packages' headers a floor's sources see. One place per library is checked by tests/style/layers.
PKG_base   := libsystemd
PKG_model  := inih libcbor jansson
PKG_policy :=
PKG_io     := libsystemd libcurl libarchive nettle jansson libelf
PKG_core   := libsystemd
PKG_virt   := libvirt libvirt-qemu libsystemd
PKG_bus    := libsystemd
PKG_cli    := libsystemd smartcols jansson libmicrohttpd

PROGRAMS := $(B)/bin/mediakitd $(B)/libexec/mediakitd/mediakitd-daemon $(B)/libexec/mediakitd/mediakitd-offline \
	$(B)/libexec/mediakitd/mediakitd-metrics

.PHONY: all clean
all: $(PROGRAMS)

# Objects and archives -----------------------------------------------------------------------------------------------

pkg_cflags = $(if $(strip $(1)),$(shell $(PKGCONF) --cflags $(1)))
pkg_libs   = $(if $(strip $(1)),$(shell $(PKGCONF) --libs $(1)))

define floor_rules
OBJ_$(1) := $$(patsubst src/%.c,$(B)/obj/%.o,$$(sort $$(wildcard src/$(1)/*.c)))
CFLAGS_$(1) := $$(call pkg_cflags,$$(PKG_$(1)))
$(B)/lib/$(1).a: $$(OBJ_$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach floor,$(FLOORS),$(eval $(call floor_rules,$(floor))))

# Recompiled when the flags change, so that a sanitizer build and a plain one never mix.
FLAGS_STAMP := $(B)/flags
$(shell mkdir -p $(B); echo '$(subst ','\'',$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL))' >$(FLAGS_STAMP).new; \
	cmp -s $(FLAGS_STAMP).new $(FLAGS_STAMP) && rm -f $(FLAGS_STAMP).new || mv $(FLAGS_STAMP).new $(FLAGS_STAMP))

$(B)/obj/%.o: src/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(CFLAGS_$(firstword $(subst /, ,$*))) -MMD -MP -c -o $@ $<

-include $(shell find $(B)/obj $(B)/tests -type f -name '*.d' 2>/dev/null)

# Programs: the command asks and prints; the daemon supervises; the third works without a daemon. ---------------------

archives = $(patsubst %,$(B)/lib/%.a,$(1))

$(B)/bin/mediakitd: $(B)/obj/main.o $(call archives,cli policy model base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(call pkg_libs,libsystemd smartcols jansson)

$(B)/libexec/mediakitd/mediakitd-daemon: $(B)/obj/cli/run.o $(call archives,cli bus virt core io policy model base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(B)/obj/cli/run.o -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(call pkg_libs,libvirt libvirt-qemu libsystemd libcurl libcbor inih jansson nettle) -lpthread

$(B)/libexec/mediakitd/mediakitd-offline: $(B)/obj/cli/offline.o $(call archives,cli io policy model base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(B)/obj/cli/offline.o -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(call pkg_libs,inih libcbor jansson libarchive nettle libsystemd libcurl libelf)

$(B)/libexec/mediakitd/mediakitd-metrics: $(B)/obj/cli/exporter.o $(call archives,cli io model base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(B)/obj/cli/exporter.o -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(call pkg_libs,libmicrohttpd jansson libsystemd) -lpthread

# The compiler takes these in, but does not tell make of it.
$(B)/obj/cli/page.o: units/status.html
$(B)/obj/cli/deploy_guest.o: src/deploy/guest
$(B)/obj/cli/bakefiles.o: $(addprefix src/bake/,bake image.sh customize init)

clean:
	rm -rf $(B)

include units/install.mk
include tests/tests.mk
