# SPDX-License-Identifier: Apache-2.0
# Measurements. None of them is a test: they print figures and aims, and fail only where nothing could be measured.
#   ROUNDS=3      rounds of bench-boot: a first and a later boot of each contender, in turn, and a warm start of ours
#                 (bench-first: 1)
#   LEVERS=words  which of bench-levers, by a word of their name; it is not part of `make bench`
#   OFFSET=10000  host port of a service = its port + OFFSET, in bench-boot and bench-status
#   WATCH=60      how long bench-probe and bench-many ask and how long bench-status lets the daemon run before it looks
#   QUIET=120     seconds to wait for a machine that does nothing else

BENCH := BUILD=$(abspath $(B)) ROUNDS=$(ROUNDS) OFFSET=$(OFFSET) WATCH=$(WATCH) QUIET=$(QUIET) LEVERS="$(LEVERS)" tests/bench/bench

# The daemon's own archives with the tests' fake hypervisor in libvirt's place.
BENCH_FAKES := $(addprefix tests/daemon/,fake_hv.c fake_guest.c fake_agent.c fake_backup.c timeline.c)
$(B)/tests/bench/many: tests/bench/many.c $(BENCH_FAKES) $(call archives,bus core io policy model base)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(TEST_FLAGS) -Itests/daemon -o $@ $(filter %.c,$^) -Wl,--as-needed $(LDFLAGS) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(call pkg_libs,libsystemd libcurl libcbor inih jansson libarchive nettle) -lpthread

# Built with the tests, so that it keeps up with what the daemon is made of.
tests: $(B)/tests/bench/many

.PHONY: bench bench-boot bench-first bench-levers bench-probe bench-status bench-many
# In one recipe, so that -j does not measure two at a time.
bench: bench-balloon
	@for part in probe many status boot first; do $(BENCH) $$part || exit 1; done

bench-boot bench-first bench-levers bench-probe bench-status bench-many: bench-%:
	@$(BENCH) $*
