# SPDX-License-Identifier: Apache-2.0
# The tests, in order of cost. A unit test says in its first lines what it links:
#   /* LINK: base model/report */   floors (all their objects) or single modules, nothing else
#   /* LIBS: libcbor */             pkg-config names beside cmocka
# so a module that grows a forbidden dependency fails to link here.

UNIT_SOURCES   := $(sort $(wildcard tests/unit/test_*.c))
DAEMON_SOURCES := $(sort $(wildcard tests/daemon/test_*.c))
DAEMON_HELPERS := $(sort $(filter-out $(DAEMON_SOURCES),$(wildcard tests/daemon/*.c)))
FUZZ_SOURCES   := $(sort $(wildcard tests/fuzz/fuzz_*.c))

test_link = $(shell sed -n 's,^/\* LINK: *\(.*\) \*/,\1,p' $(1) | head -n 1)
test_libs = $(shell sed -n 's,^/\* LIBS: *\(.*\) \*/,\1,p' $(1) | head -n 1)
link_objects = $(foreach word,$(1),$(if $(findstring /,$(word)),$(B)/obj/$(word).o,$(OBJ_$(word))))

TEST_FLAGS = $(CPPFLAGS_ALL) $(filter-out -Wmissing-prototypes,$(CFLAGS_ALL)) -Itests

# $(1) program, $(2) source, $(3) further sources
define test_rule
$(1): $(2) $(3) $(call link_objects,$(call test_link,$(2)))
	@mkdir -p $$(@D)
	$$(call say,TEST,$$@)
	$$(Q)$$(CC) $$(TEST_FLAGS) $$(call pkg_cflags,cmocka $(call test_libs,$(2))) -MMD -MP -MF $$@.d -o $$@ $$(filter %.c %.o,$$^) \
		-Wl,--as-needed $$(LDFLAGS) $$(call pkg_libs,cmocka $(call test_libs,$(2))) -lpthread
endef

UNIT_PROGRAMS   := $(UNIT_SOURCES:tests/unit/%.c=$(B)/tests/unit/%)
DAEMON_PROGRAMS := $(DAEMON_SOURCES:tests/daemon/%.c=$(B)/tests/daemon/%)
REPLAY_PROGRAMS := $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=$(B)/tests/replay/%)

$(foreach s,$(UNIT_SOURCES),$(eval $(call test_rule,$(B)/tests/unit/$(basename $(notdir $(s))),$(s),)))
$(foreach s,$(DAEMON_SOURCES),$(eval $(call test_rule,$(B)/tests/daemon/$(basename $(notdir $(s))),$(s),$(DAEMON_HELPERS))))
$(foreach s,$(FUZZ_SOURCES),$(eval $(call test_rule,$(B)/tests/replay/$(patsubst fuzz_%,%,$(basename $(notdir $(s)))),$(s),)))
$(REPLAY_PROGRAMS): TEST_FLAGS += -DFUZZ_REPLAY

.PHONY: tests check-unit check-daemon check-fuzz
tests: all $(UNIT_PROGRAMS) $(DAEMON_PROGRAMS) $(REPLAY_PROGRAMS)

check-unit: $(UNIT_PROGRAMS)
	@tests/lib/run-tests $(UNIT_PROGRAMS)

check-daemon: $(DAEMON_PROGRAMS)
	@tests/lib/run-tests $(DAEMON_PROGRAMS)

# The seed corpora and every input that ever broke a parser, replayed.
check-fuzz: $(REPLAY_PROGRAMS)
	@for p in $(REPLAY_PROGRAMS); do $$p tests/fuzz/corpus/$$(basename $$p) || exit 1; done

# The whole, cheapest first -------------------------------------------------------------------------------------------

.PHONY: check check-packages check-style check-layers check-provision check-virt check-programs check-guest image
check: check-packages
	@$(MAKE) --no-print-directory check-all

# In a make of its own, because the libraries it may have installed are looked up when the Makefile is read. Two at a
# time: what has no clock of its own; and the guest beside the hosts, each of which waits most of the time.
.PHONY: check-all
check-all: check-style check-layers check-xml
	@$(MAKE) --no-print-directory -j$$(nproc) tests
	@$(MAKE) --no-print-directory -j2 -Otarget \
		check-unit check-fuzz check-daemon check-balloon check-metrics check-install check-provision check-deploy
	@$(MAKE) --no-print-directory check-virt check-programs check-faults
	@$(MAKE) --no-print-directory -j2 check-guest check-host

check-packages:
	@tests/lib/packages build run image test

check-style:
	@$(PYTHON) tests/style/check

check-layers:
	@$(PYTHON) tests/style/layers

# The goldens are what libvirt's own schema takes.
.PHONY: check-xml
check-xml:
	@for f in tests/golden/*.xml; do virt-xml-validate $$f domain >/dev/null || exit 1; done
	@echo "xml: $(words $(wildcard tests/golden/*.xml)) domains are valid"

# The provisioner on real qemu-img, with images that are broken or hostile; then on a server and keys of the test's own.
check-provision: all
	@tests/lib/needs-root tests/provision/run $(abspath $(B))
	@tests/lib/needs-root tests/provision/fetch $(abspath $(B))
	@tests/provision/skip

# Deploys to a directory in the place of a guest, over a script in the place of ssh, with every step broken off.
.PHONY: check-deploy
$(eval $(call test_rule,$(B)/tests/deploy/daemon,tests/deploy/daemon.c,))
check-deploy: all $(B)/tests/deploy/daemon
	@tests/deploy/run $(abspath $(B))

# The libvirt floor on a real QEMU without an OS.
check-virt: all
	@tests/lib/needs-root tests/virt/run $(abspath $(B))

# The programs on bad input and bad days, on a real QEMU without an OS; and what a bake leaves in its root, without baking.
check-programs: all
	@tests/image/script
	@tests/lib/needs-root tests/programs/run $(abspath $(B))

# The fault table (tests/faults/TABLE.md), on a build that has fail points and that nobody installs.
#   REPEAT=20 ONLY=word JOBS=2; HOURS=0.5 SEED= for soak; CYCLES=1000 EMBEDDED=50 CRASHES=20 for check-cycles
FAULTS_B := $(B)/faults
.PHONY: check-faults faults-build faults-table soak check-cycles
faults-build: all
	@$(MAKE) --no-print-directory B=$(FAULTS_B) CPPFLAGS="$(CPPFLAGS) -DMEDIAKIT_FAILPOINTS" all
	@! grep -q MEDIAKIT_FAILPOINT $(PROGRAMS) || { echo "faults: a normal build has fail points"; exit 1; }

check-faults: faults-build
	@$(PYTHON) tests/faults/run $(FAULTS_B) --check-table
	@tests/lib/needs-root tests/faults/run $(abspath $(FAULTS_B))
	@tests/lib/needs-root tests/provision/fetch $(abspath $(FAULTS_B)) test_killed_at_fail_points
	@tests/lib/needs-root tests/provision/run $(abspath $(FAULTS_B)) test_killed test_import_killed test_import_fails \
		test_import_opened_meanwhile

faults-table:
	@$(PYTHON) tests/faults/run $(FAULTS_B) --table >tests/faults/TABLE.md.new
	@mv tests/faults/TABLE.md.new tests/faults/TABLE.md

# Not by default anything: HOURS= is asked for.
soak: faults-build
	@test -n "$(HOURS)" || { echo "usage: make soak HOURS=0.5 [SEED=…]"; exit 2; }
	@tests/lib/needs-root tests/faults/run $(abspath $(FAULTS_B))

check-cycles: faults-build
	@tests/lib/needs-root tests/faults/cycles $(abspath $(FAULTS_B))

# What is installed, uninstalled and packed.
.PHONY: check-install
check-install: all
	@tests/install/run $(abspath $(B))

# Metrics and the status page, as a file and as served.
.PHONY: check-metrics
check-metrics: all
	@tests/metrics/page
	@tests/metrics/run $(abspath $(B))

image:
	@tests/lib/needs-root tests/image/build $(abspath $(B))/image

# Bakes each suite twice, compares, and boots one of the two; some ten minutes a suite, from a mirror. By hand.
.PHONY: check-bake
check-bake: all
	@tests/lib/packages image test
	@BUILD=$(abspath $(B)) tests/lib/needs-root tests/image/bake $(SUITES)

check-guest: all image
	@BUILD=$(abspath $(B)) tests/lib/needs-root tests/guest/run

# The bad days of a saved guest, on the real one, by hand: ONLY=word.
.PHONY: check-saves
check-saves: faults-build image
	@BUILD=$(abspath $(B)) tests/lib/needs-root tests/guest/saves

# The real guest on a host whose CPUs are taken: by hand, MINUTES=10 FAMINE=2 LOAD=2.
.PHONY: check-starvation
check-starvation: all image
	@BUILD=$(abspath $(B)) MINUTES=$(MINUTES) FAMINE=$(FAMINE) LOAD=$(LOAD) tests/lib/needs-root tests/starve/run

# The package on systemd hosts: containers with Debian 12 and Debian 13.
.PHONY: check-host
check-host: image
	@tests/lib/needs-root tests/host/run $(abspath $(B))

# The same hosts, measured: bus, socket, virsh, scrape, the daemon at rest.
.PHONY: bench-host
bench-host: image
	@WATCH=$(WATCH) tests/lib/needs-root tests/host/run $(abspath $(B)) --figures

# The demo ------------------------------------------------------------------------------------------------------------

.PHONY: demo demo-stop demo-clean
demo:
	@BUILD=$(abspath $(B)) tests/demo/demo up
demo-stop:
	@BUILD=$(abspath $(B)) tests/demo/demo stop
demo-clean:
	@BUILD=$(abspath $(B)) tests/demo/demo clean

include tests/sanitize/sanitize.mk
include tests/bench/bench.mk
include tests/balloon/balloon.mk
