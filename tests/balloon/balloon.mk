# SPDX-License-Identifier: Apache-2.0
# Our balloon policy and others' published rules on the same traces. SEED=, SEEDS= and MIXES= set the random ones.

BALLOON_COMPARE := $(B)/tests/balloon/compare
BALLOON_TRACES  := $(sort $(wildcard tests/balloon/traces/*.csv))

$(eval $(call test_rule,$(BALLOON_COMPARE),tests/balloon/compare.c,tests/balloon/rivals.c))

.PHONY: check-balloon bench-balloon
check-balloon: $(BALLOON_COMPARE)
	@$(BALLOON_COMPARE) --check $(BALLOON_TRACES) >$(B)/balloon.txt || { cat $(B)/balloon.txt; exit 1; }
	@grep -A 99 '^missed\|^compare' $(B)/balloon.txt

bench-balloon: $(BALLOON_COMPARE)
	@echo "bench-balloon: aims: no swap-in, a fifth of the best other's pressure, as much memory returned"
	@SEED=$(SEED) SEEDS=$(SEEDS) MIXES=$(MIXES) $(BALLOON_COMPARE) $(BALLOON_TRACES)

# The pool on real guests: by hand, SIZE=full STEPS="idle demand driver antiphase".
.PHONY: check-balloon-guest
check-balloon-guest: all image
	@BUILD=$(abspath $(B)) SIZE=$(SIZE) STEPS="$(STEPS)" tests/lib/needs-root tests/balloon/guest
