# SPDX-License-Identifier: Apache-2.0
# `make install DESTDIR= PREFIX=`, `make uninstall`, which leaves configuration and state, and `make deb`.
#
# polkit and the message bus read their files below /usr/share only, wherever the programs are.

BINDIR     ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/mediakitd
DATADIR    ?= $(PREFIX)/share/mediakitd
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/mediakitd
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSDATADIR ?= /usr/share
SYSCONFDIR ?= /etc/mediakitd

# Lines of  MODE  SOURCE  TARGET. What is made from a template is found under $(B)/units, the rest in the tree.
define INSTALLED
0755 $(B)/bin/mediakitd                             $(BINDIR)/mediakitd
0755 $(B)/libexec/mediakitd/mediakitd-daemon        $(LIBEXECDIR)/mediakitd-daemon
0755 $(B)/libexec/mediakitd/mediakitd-offline       $(LIBEXECDIR)/mediakitd-offline
0755 $(B)/libexec/mediakitd/mediakitd-metrics       $(LIBEXECDIR)/mediakitd-metrics
0644 cloud-init/meta-data.in                        $(DATADIR)/cloud-init/meta-data.in
0644 cloud-init/user-data.in                        $(DATADIR)/cloud-init/user-data.in
0644 $(B)/units/mediakitd.service                   $(UNITDIR)/mediakitd.service
0644 $(B)/units/mediakit-guest@.service             $(UNITDIR)/mediakit-guest@.service
0644 $(B)/units/mediakitd-metrics.service           $(UNITDIR)/mediakitd-metrics.service
0644 units/mediakitd-metrics.socket                 $(UNITDIR)/mediakitd-metrics.socket
0644 $(B)/units/vm-mediakit.service                 $(UNITDIR)/vm-mediakit.service
0644 units/mediakitd.catalog                        $(PREFIX)/lib/systemd/catalog/mediakitd.catalog
0644 units/mediakitd.sysusers                       $(PREFIX)/lib/sysusers.d/mediakitd.conf
0644 units/mediakitd.tmpfiles                       $(PREFIX)/lib/tmpfiles.d/mediakitd.conf
0644 units/com.pointsav.MediaKit1.conf              $(SYSDATADIR)/dbus-1/system.d/com.pointsav.MediaKit1.conf
0644 units/com.pointsav.MediaKit1.service           $(SYSDATADIR)/dbus-1/system-services/com.pointsav.MediaKit1.service
0644 units/com.pointsav.MediaKit1.xml               $(SYSDATADIR)/dbus-1/interfaces/com.pointsav.MediaKit1.xml
0644 units/com.pointsav.MediaKit1.policy            $(SYSDATADIR)/polkit-1/actions/com.pointsav.MediaKit1.policy
0644 units/com.pointsav.MediaKit1.rules             $(SYSDATADIR)/polkit-1/rules.d/50-com.pointsav.MediaKit1.rules
0644 $(B)/units/mediakitd.8                         $(MANDIR)/man8/mediakitd.8
0644 $(B)/units/mediakitd-metrics.8                 $(MANDIR)/man8/mediakitd-metrics.8
0644 $(B)/units/mediakitd.conf.5                    $(MANDIR)/man5/mediakitd.conf.5
0644 $(B)/units/com.pointsav.MediaKit1.5            $(MANDIR)/man5/com.pointsav.MediaKit1.5
0644 $(B)/units/mediakitd.bash                      $(PREFIX)/share/bash-completion/completions/mediakitd
0644 $(B)/units/_mediakitd                          $(PREFIX)/share/zsh/vendor-completions/_mediakitd
0644 README.md                                      $(DOCDIR)/README.md
0644 units/guests.d/vm-mediakit.conf                $(DOCDIR)/examples/guests.d/vm-mediakit.conf
0644 units/examples/mediakitd.rules.yml             $(DOCDIR)/examples/mediakitd.rules.yml
0644 units/examples/grafana-dashboard.json          $(DOCDIR)/examples/grafana-dashboard.json
endef
export INSTALLED

# Written once, then the operator's.
define CONFIGURATION
0644 units/mediakitd.conf                           $(SYSCONFDIR)/mediakitd.conf
0644 units/guests.d/vm-mediakit.conf                $(SYSCONFDIR)/guests.d/vm-mediakit.conf
endef
export CONFIGURATION

.PHONY: install uninstall deb man units-for-prefix
# Made anew each time: another PREFIX may have been asked for before.
units-for-prefix:
$(B)/units/%.service: units/%.service units-for-prefix
	@mkdir -p $(@D)
	$(Q)sed -e 's,@BINDIR@,$(BINDIR),g' -e 's,@LIBEXECDIR@,$(LIBEXECDIR),g' $< >$@

# From the usage texts and the table of keys of the programs just built.
man: $(B)/units/mediakitd.8
$(B)/units/mediakitd.8: units/manual units/com.pointsav.MediaKit1.xml $(PROGRAMS)
	$(Q)$(PYTHON) units/manual $(B)/bin/mediakitd $(B)/units

install: all man $(B)/units/mediakitd.service $(B)/units/mediakitd-metrics.service $(B)/units/mediakit-guest@.service $(B)/units/vm-mediakit.service
	@echo "$$INSTALLED" | while read -r mode source target; do \
		install -D -m "$$mode" "$$source" "$(DESTDIR)$$target" || exit 1; done
	@echo "$$CONFIGURATION" | while read -r mode source target; do \
		[ -e "$(DESTDIR)$$target" ] || install -D -m "$$mode" "$$source" "$(DESTDIR)$$target" || exit 1; done
	@[ -n "$(DESTDIR)" ] || echo "installed; next: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload &&" \
		"systemctl reload dbus && journalctl --update-catalog"

uninstall:
	@echo "$$INSTALLED" | while read -r mode source target; do rm -f "$(DESTDIR)$$target"; done
	@rmdir --ignore-fail-on-non-empty -p "$(DESTDIR)$(LIBEXECDIR)" "$(DESTDIR)$(DATADIR)/cloud-init" \
		"$(DESTDIR)$(DOCDIR)/examples/guests.d" 2>/dev/null || :
	@echo "uninstalled; configuration ($(SYSCONFDIR)) and state (/var/lib/mediakitd) were left"

deb: all
	$(Q)units/deb/build $(abspath $(B)) $(VERSION)
