# SPDX-License-Identifier: Apache-2.0
# What compilers and their helpers find: sanitizers, fuzzers, static analysis. Kept out of `make check` by their time;
# each ends with a failure on the first finding.

.PHONY: check-asan asan-run check-valgrind fuzz fuzz-run fuzz-corpus check-static coverage coverage-run

# AddressSanitizer (leaks too) and UndefinedBehaviorSanitizer, in a build of their own. The tests whose
# allocations fail (tests/unit/alloc_fail.h) have a malloc of their own, which then hands on to the sanitizer's.
ASAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
check-asan:
	@$(MAKE) --no-print-directory B=$(B)-asan CFLAGS='-O1 -g $(ASAN_FLAGS) -fno-omit-frame-pointer' \
		LDFLAGS='$(ASAN_FLAGS)' asan-run

asan-run: export ASAN_OPTIONS := detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
asan-run: export UBSAN_OPTIONS := print_stacktrace=1
asan-run: export TEST_SECONDS := 360
asan-run: tests
	@$(MAKE) --no-print-directory check-unit check-daemon check-fuzz
	@tests/sanitize/daemon $(abspath $(B))

# Memcheck sees what the sanitizers don't: reads of memory never written, also inside libraries. It runs everything
# much slower, so it leaves out the tests of many guests and of real time; those with their own malloc; and those that run
# programs, whose pidfd_open() valgrind 3.19 does not know.
VALGRIND := valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=99 \
	--suppressions=tests/sanitize/valgrind.supp
VALGRIND_SKIPS := %/test_disk %/test_program_fail %/test_signature %/test_snapshotfile %/test_many %/test_http %/test_bus_pump \
	$(patsubst %.c,$(B)/%,$(shell grep -l '"alloc_fail.h"' $(UNIT_SOURCES) $(DAEMON_SOURCES)))
check-valgrind: $(UNIT_PROGRAMS) $(DAEMON_PROGRAMS)
	@tests/lib/packages analysis
	@TEST_WRAPPER='$(VALGRIND)' TEST_SECONDS=600 tests/lib/run-tests \
		$(filter-out $(VALGRIND_SKIPS),$(UNIT_PROGRAMS) $(DAEMON_PROGRAMS))

# Fuzzers, each for SECONDS from its corpus (TARGETS= takes some of them only). What is found is put under build-fuzz/found; an
# input that broke something belongs in tests/fuzz/corpus once it is mended. The limit of 64 MiB is for the fuzzer, the sanitizers
# and what the target takes together; because the fuzzer's own book-keeping grows with what it learns, and the sanitizer's heap
# with it, it begins anew every minute from what it kept.
SECONDS       ?= 60
FUZZ_TARGETS  := $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=%)
TARGETS       ?= $(FUZZ_TARGETS)
FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(B)/tests/fuzz/%)
FUZZ_FLAGS    := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
fuzz:
	@tests/lib/packages build test analysis
	@$(MAKE) --no-print-directory B=$(B)-fuzz CC=clang WERROR= CFLAGS='-O1 -g $(FUZZ_FLAGS) -fno-omit-frame-pointer' fuzz-run

$(foreach s,$(FUZZ_SOURCES),$(eval $(call test_rule,$(B)/tests/fuzz/$(patsubst fuzz_%,%,$(basename $(notdir $(s)))),$(s),)))
$(FUZZ_PROGRAMS): LDFLAGS += -fsanitize=fuzzer,address,undefined

fuzz-run: export ASAN_OPTIONS := quarantine_size_mb=1:thread_local_quarantine_size_kb=64:malloc_context_size=4
fuzz-run: $(FUZZ_PROGRAMS)
	@tests/fuzz/run $(B) $(SECONDS) $(TARGETS)

# Writes the seeds that are made, not found, again.
$(eval $(call test_rule,$(B)/tests/fuzz/record_bus,tests/fuzz/record_bus.c,))
fuzz-corpus: $(B)/tests/fuzz/record_bus
	@$(PYTHON) tests/fuzz/make_corpus.py tests/fuzz/corpus
	@$< tests/fuzz/corpus

# One set of flags for all files: a floor's own list of libraries matters to check-layers, not here.
check-static:
	@tests/lib/packages build test analysis
	@$(PYTHON) tests/sanitize/static $(CPPFLAGS_ALL) $(call pkg_cflags,$(sort $(foreach f,$(FLOORS),$(PKG_$(f)))))

# Which lines the tests reach, in a build of their own: unit and daemon tests, the replayed corpora, and the programs on
# input of others: the daemon on libvirt's test driver, the provisioner, the server of metrics, the verbs that need no
# guest. Fails where a file that reads bytes of others has less than 95 %, and where a file of src/ is not on one of the
# two lists in tests/sanitize/coverage.
coverage:
	@$(MAKE) --no-print-directory B=$(B)-coverage CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage coverage-run

coverage-run: tests
	@find $(B) -name '*.gcda' -delete
	@$(MAKE) --no-print-directory check-unit check-daemon check-fuzz check-provision check-deploy check-metrics
	@tests/sanitize/daemon $(abspath $(B))
	@tests/lib/needs-root tests/programs/run $(abspath $(B)) usage faults decode replay daemons
	@$(PYTHON) tests/sanitize/coverage $(B)
