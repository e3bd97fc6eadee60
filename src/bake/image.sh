# SPDX-License-Identifier: Apache-2.0
#
# Makes a guest's image from the packages of Debian or Ubuntu, natively: no emulation, no loop device,
# no mount outside mmdebstrap's own. Read by `mediakitd bake` and by the builder of the tests' stand-in,
# which set
#
#   NAME            of the image: NAME.qcow2, and the file systems' label
#   SUITE           trixie or noble
#   PACKAGES        their names; ROOT_MIB: the size of the root partition
#   CUSTOMIZE       mmdebstrap's customize hooks, one after another
#   DIRECT          what the kernel's command line has besides, for direct boot
#   out, here, tmp  where the result goes, where this file and init are, a directory to work in
#   MIRROR, SECURITY, KEYRING   or empty for what this machine's apt uses, else the archive's own
#
# and call bake_need, bake_traps, bake_image, bake_publish. $out then holds
#   NAME.qcow2        boots by itself from a virtio disk under SeaBIOS (MBR, syslinux, ext4 root last)
#   vmlinuz vmlinux initrd.img cmdline   the same kernel for direct boot; vmlinux is the ELF inside
#                     vmlinuz, entered through PVH: it spares an emulated CPU the decompression
#   manifest          key=value; MANIFEST_HEAD, where it is set, stands first
#   packages          "name version" of each
#   SHA256SUMS        of the files above but the manifest and the packages
#
# The same packages and the same SOURCE_DATE_EPOCH make the same files, bit for bit, on hosts with the same
# versions of the tools below.

# Sizes in MiB.
ALIGN=1
BOOT=63

UBUNTU_KEY=f6ecb3762474eda9d21b7022871920d1991bc93c # "Ubuntu Archive Automatic Signing Key (2018)"
UBUNTU_KEYRING=pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1_all.deb

die() {
	echo "bake: $*" >&2
	exit 1
}

say() {
	echo "image: $* ($(($(date +%s) - began)) s)" >&2
}

# A removal as root must not be able to follow a foreign mount, though there is none here.
bake_cleanup() {
	[ -z "$tmp" ] || rm -rf --one-file-system "$tmp"
}

# $1: the exit status. The shell would take a signal up only when what it waits for has ended by itself, and
# mmdebstrap only when its apt has: so that has a group of its own, all of which is told.
bake_interrupted() {
	[ -z "${child:-}" ] || kill -s TERM -- "-$child" 2>/dev/null || :
	wait || :
	exit "$1"
}

bake_traps() {
	trap bake_cleanup EXIT
	trap 'bake_interrupted 130' INT
	trap 'bake_interrupted 143' TERM HUP
}

bake_need() {
	missing=
	while read -r program package; do
		command -v "$program" >/dev/null 2>&1 || missing="$missing $package"
	done <<-END
		mmdebstrap mmdebstrap
		mke2fs e2fsprogs
		qemu-img qemu-utils
		mcopy mtools
		syslinux syslinux
		cpio cpio
		zstd zstd
		xz xz-utils
	END
	[ -e /usr/lib/syslinux/mbr/mbr.bin ] || missing="$missing syslinux-common"
	[ "$SUITE" != trixie ] || [ -n "$KEYRING" ] || [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] ||
		missing="$missing debian-archive-keyring"
	[ "$SUITE" != noble ] || [ -n "$KEYRING" ] || command -v gpg >/dev/null 2>&1 || missing="$missing gpg"
	[ -z "$missing" ] || die "missing packages: apt install$missing"
	[ "$(id -u)" = 0 ] || die "must run as root: the guest's files get their owners from mmdebstrap"
	began=$(date +%s)
	: "${SOURCE_DATE_EPOCH:=$began}"
	case $SOURCE_DATE_EPOCH in
	*[!0-9]* | '') die "SOURCE_DATE_EPOCH is no number of seconds: $SOURCE_DATE_EPOCH" ;;
	esac
	# mtools and mke2fs (the second name is older e2fsprogs'), and what they are called by.
	export NAME SOURCE_DATE_EPOCH E2FSPROGS_FAKE_TIME="$SOURCE_DATE_EPOCH" TZ=UTC0 LC_ALL=C
	umask 022
}

# A mirror the machine's own apt uses, as apt itself reads its sources, so that one-line and deb822 files
# and commented-out lines are all the same to us. $1: how its URL ends.
of_apt() {
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		grep -m1 -E "^https?://.*/$1/?\$" || :
}

# A proxy set for apt on the machine holds for the guest's packages too.
proxy() {
	apt-config dump 2>/dev/null | sed -n 's/^\(Acquire::https\{0,1\}::Proxy "..*";\)$/--aptopt=\1/p'
}

# Debian packages no key of Ubuntu's. Its package in the archive has them; what is taken out of it is the one
# key that is named above by its fingerprint, so it does not matter who sent it.
fetch_keyring() {
	say "the key of Ubuntu's archive"
	/usr/lib/apt/apt-helper download-file "$MIRROR/$UBUNTU_KEYRING" "$tmp/keyring.deb" >"$tmp/log" 2>&1 || {
		tail -n 5 "$tmp/log" >&2
		die "cannot fetch $MIRROR/$UBUNTU_KEYRING; --keyring=FILE names one that is here"
	}
	mkdir -m 700 "$tmp/keyring" "$tmp/gnupg"
	dpkg-deb -x "$tmp/keyring.deb" "$tmp/keyring"
	KEYRING=$tmp/ubuntu.gpg
	gpg --homedir "$tmp/gnupg" --batch --quiet --no-default-keyring --no-auto-check-trustdb \
		--keyring "$tmp/keyring/usr/share/keyrings/ubuntu-archive-keyring.gpg" \
		--export --output "$KEYRING" "$UBUNTU_KEY" 2>"$tmp/log" && [ -s "$KEYRING" ] ||
		die "$MIRROR/$UBUNTU_KEYRING has not the key $UBUNTU_KEY"
	is=$(gpg --homedir "$tmp/gnupg" --batch --show-keys --with-colons "$KEYRING" 2>/dev/null |
		awk -F: '$1 == "pub" { primary = 1 } $1 == "fpr" && primary { print tolower($10); primary = 0 }')
	[ "$is" = "$UBUNTU_KEY" ] || die "the key of Ubuntu's archive is not $UBUNTU_KEY: $is"
	rm -rf "$tmp/keyring" "$tmp/keyring.deb" "$tmp/gnupg"
}

# Sets MIRROR, SECURITY and KEYRING, and COMPONENTS. An archive that was named may stand still, and its lists have then
# expired, which is not held against them: mirror_age, security_age. The mirrors of this machine's apt do not stand still.
find_sources() {
	mirror_age=${MIRROR:+check-valid-until=no} security_age=${SECURITY:+check-valid-until=no}
	case $SUITE in
	trixie)
		COMPONENTS=main
		MIRROR=${MIRROR:-$(of_apt debian)}
		SECURITY=${SECURITY:-$(of_apt debian-security)}
		if [ -n "$MIRROR" ]; then
			MIRROR=${MIRROR%/}
			[ -n "$SECURITY" ] || SECURITY=$MIRROR-security security_age=$mirror_age
		fi
		KEYRING=${KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
		;;
	noble)
		COMPONENTS="main universe"
		MIRROR=${MIRROR:-$(of_apt ubuntu)}
		MIRROR=${MIRROR:-http://archive.ubuntu.com/ubuntu}
		SECURITY=${SECURITY:-$MIRROR} security_age=${security_age:-$mirror_age}
		if [ -z "$KEYRING" ] && [ -e /usr/share/keyrings/ubuntu-archive-keyring.gpg ]; then
			KEYRING=/usr/share/keyrings/ubuntu-archive-keyring.gpg
		fi
		;;
	*) die "no suite $SUITE: noble or trixie" ;;
	esac
	MIRROR=${MIRROR%/}
	SECURITY=${SECURITY%/}
	[ -n "$KEYRING" ] || fetch_keyring
	[ -r "$KEYRING" ] || die "cannot read the keyring $KEYRING"
}

# One line of sources. $1: what is known of the URL's age; $2: URL; $3: suite. The dpkg of a root cannot read a directory
# outside of it, so apt copies the packages in instead of naming them where they lie.
source_line() {
	case $2 in
	file:*) set -- "$1" "copy:${2#file:}" "$3" ;;
	esac
	echo "deb [signed-by=$KEYRING${1:+ $1}] $2 $3 $COMPONENTS"
}

# What the archive has now, with its updates. SECURITY=none: without those for security.
sources() {
	[ -n "$MIRROR" ] || return 0
	source_line "$mirror_age" "$MIRROR" "$SUITE"
	source_line "$mirror_age" "$MIRROR" "$SUITE-updates"
	[ "$SECURITY" = none ] || source_line "$security_age" "$SECURITY" "$SUITE-security"
}

make_root() {
	find_sources
	sources >"$tmp/sources"
	say "installing $SUITE from ${MIRROR:-where mmdebstrap finds it}"
	# Phased updates are drawn by lot, by the machine's identity.
	set -- --mode=root --variant=minbase --format=directory \
		--include="$(echo $PACKAGES | tr ' ' ',')" \
		--aptopt='Acquire::Languages "none"' \
		--aptopt='APT::Get::Always-Include-Phased-Updates "true"' \
		--dpkgopt='force-unsafe-io' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*'
	for hook in $CUSTOMIZE; do
		set -- "$@" --customize-hook="$hook"
	done
	oldifs=$IFS
	IFS='
'
	set -- "$@" $(proxy)
	IFS=$oldifs
	# Without a mirror it takes the one it knows of, with the updates and those for security.
	# INITRD=No: the kernel's hook would spend 15 s on an initramfs that ours replaces.
	if [ -n "$MIRROR" ]; then
		set -- "$@" "$SUITE" "$tmp/root" -
	else
		set -- "$@" --keyring="$KEYRING" "$SUITE" "$tmp/root"
	fi
	INITRD=No setsid mmdebstrap "$@" <"$tmp/sources" >"$tmp/log" 2>&1 &
	child=$!
	wait "$child" || {
		grep -E '^(E|W):' "$tmp/log" | tail -n 10 >&2
		tail -n 20 "$tmp/log" >&2
		die "mmdebstrap failed"
	}
	child=
	dpkg-query --admindir="$tmp/root/var/lib/dpkg" -W -f '${Package} ${Version}\n' >"$tmp/packages"
}

# Where the archive is, by the word of the distribution's own cloud-init: the first of its failsafe addresses. Over http, for
# which the guest needs no certificates; what comes is signed. $1: primary or security.
failsafe() {
	sed -n "/failsafe:/,\$ s/^ *$1: *https\{0,1\}:/http:/p" "$tmp/root/etc/cloud/cloud.cfg" | head -n 1
}

# The archive's public address: neither the mirror the packages came from nor a key's path on this machine has a
# place in the image.
write_sources() {
	rm -f "$tmp/root/etc/apt/sources.list" "$tmp"/root/etc/apt/sources.list.d/*
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ "$SUITE" != noble ] || key=/usr/share/keyrings/ubuntu-archive-keyring.gpg
	archive=$(failsafe primary) security=$(failsafe security)
	[ -n "$archive" ] && [ -n "$security" ] || die "the cloud-init of $SUITE does not say where its archive is"
	for part in "$archive/ $SUITE $SUITE-updates" "$security/ $SUITE-security"; do
		printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n\n' \
			"${part%% *}" "${part#* }" "$COMPONENTS" "$key"
	done >"$tmp/root/etc/apt/sources.list.d/$SUITE.sources"
}

# mmdebstrap leaves the options it was given in the root for good. The guest's stay: the host's proxy is none of those, and
# may have a password in it, nor is what a bake alone needs. $1: a file below the root's /etc; $2: how those begin that stay.
keep_options() {
	sed -i -n "/^$2/p" "$r/etc/$1/99mmdebstrap"
}

# What would differ the next time: traces of the installation, and the identity that each guest makes for itself.
# The machine's identity is empty, not absent, so that systemd does not take the boot for one that needs presets
# and questions.
forget() {
	r=$tmp/root
	: >"$r/etc/machine-id"
	rm -rf "$r"/etc/ssh/ssh_host_* "$r/var/lib/dbus/machine-id" "$r"/var/lib/apt/lists/* \
		"$r"/var/cache/apt/*.bin "$r"/var/cache/apt/archives/*.deb "$r/var/cache/ldconfig" \
		"$r"/var/cache/debconf/*-old "$r"/var/lib/dpkg/*-old "$r"/etc/passwd- "$r"/etc/shadow- \
		"$r"/etc/group- "$r"/etc/gshadow- "$r"/etc/subuid- "$r"/etc/subgid- "$r/etc/.pwd.lock" \
		"$r/var/lib/systemd/random-seed" "$r"/var/log/apt "$r"/boot/System.map-* "$r"/tmp/* "$r"/run/*
	find "$r/var/log" -type f -delete
	keep_options apt/apt.conf.d Acquire::Languages
	keep_options dpkg/dpkg.cfg.d path-exclude=
}

# bzImage header, Documentation/arch/x86/boot.rst: 0x1f1 setup_sects, 0x248 payload_offset,
# 0x24c payload_length; the last four bytes of the payload are its size and no part of the stream.
extract_vmlinux() {
	field() { od -An -t "u$2" -j "$1" -N "$2" "$tmp/vmlinuz" | tr -d ' '; }
	start=$((($(field 497 1) + 1) * 512 + $(field 584 4)))
	tail -c "+$((start + 1))" "$tmp/vmlinuz" | head -c "$(($(field 588 4) - 4))" >"$tmp/payload"
	zstd -dqf "$tmp/payload" -o "$tmp/vmlinux" || die "the kernel's payload is not zstd"
	rm "$tmp/payload"
}

# A module into the initramfs, unpacked, where the kernel has it as one.
take_module() {
	file=$(find "$tmp/root/lib/modules/$kernel/kernel" -name "$1.ko*")
	case $file in
	'') grep -q "/$1.ko\$" "$tmp/root/lib/modules/$kernel/modules.builtin" || die "the kernel has no $1" ;;
	*.xz) xz -dc "$file" >"$ird/$1.ko" ;;
	*.zst) zstd -dqc "$file" >"$ird/$1.ko" ;;
	*) cp "$file" "$ird/$1.ko" ;;
	esac
}

make_boot_files() {
	say "kernel and initrd"
	kernel=$(ls "$tmp/root/lib/modules")
	cp "$tmp/root/boot/vmlinuz-$kernel" "$tmp/vmlinuz"
	extract_vmlinux

	# ext4 and virtio-pci are in the kernel; the disk driver is all that may be missing.
	ird=$tmp/initrd
	mkdir -p "$ird/bin" "$ird/lib" "$ird/dev" "$ird/proc" "$ird/sys" "$ird/run" "$ird/root"
	cp "$here/init" "$ird/init"
	chmod 755 "$ird/init"
	cp "$tmp/root/usr/bin/busybox" "$ird/bin/"
	take_module virtio_blk
	cp "$tmp/root/usr/sbin/e2fsck" "$ird/bin/"
	ln -s lib "$ird/lib64"
	for lib in $(chroot "$tmp/root" ldd /usr/sbin/e2fsck | grep -o '/[^ ]*'); do
		cp -L "$tmp/root/$lib" "$ird/lib/"
	done
	find "$ird" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	# Not compressed: unpacking costs an emulated CPU more than reading the few MiB.
	(cd "$ird" && find . | sort | cpio -o -H newc --quiet --reproducible -R 0:0) >"$tmp/initrd.img"
	rm -rf "$ird"

	# What the image says of itself when it boots alone, as a distribution would.
	plain="root=/dev/vda2 rw console=ttyS0 systemd.show_status=1"
	echo "$plain $DIRECT" >"$tmp/cmdline"
}

# One little-endian 32-bit number as printf escapes.
le32() {
	printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) \
		$(($1 >> 24 & 255))
}

# flag type first-sector sectors; CHS is a dummy, everything here is LBA.
entry() {
	printf "\\$1\\376\\377\\377\\$2\\376\\377\\377$(le32 "$3")$(le32 "$4")"
}

# The inodes in use, of a file system in $1: what the groups have free is left out, and what is reserved.
inodes() {
	dumpe2fs "$1" 2>/dev/null | awk '
		/^Inode count:/ { n = $3 }
		/^  Free inodes:/ {
			sub(/^  Free inodes: */, "")
			k = split($0, ranges, /, */)
			for (i = 1; i <= k; i++) {
				m = split(ranges[i], ends, "-")
				for (j = ends[1] + 0; j <= ends[m] + 0; j++)
					free[j] = 1
			}
		}
		END {
			for (i = 2; i <= n; i++)
				if (!(i in free) && (i == 2 || i >= 11))
					print i
		}'
}

# mke2fs takes over when each file was changed last and read last, which is now: it is set to the epoch, as the
# time of its last writing is where that is later.
make_file_system() {
	uuid=$(sha256sum "$tmp/packages" | sed 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.\{12\}\).*/\1-\2-4\3-8\4-\5/')
	find "$tmp/root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	mke2fs -q -t ext4 -L "$NAME" -U "$uuid" -E "hash_seed=$uuid" -d "$tmp/root" -i 32768 -m 1 -J size=32 \
		-e remount-ro "$tmp/root.ext4" "${ROOT_MIB}M" >"$tmp/log" 2>&1 || die "mke2fs: $(tail -n 1 "$tmp/log")"
	inodes "$tmp/root.ext4" | while read -r inode; do
		for time in ctime atime crtime; do
			printf 'sif <%s> %s @%s\nsif <%s> %s_extra 0\n' "$inode" "$time" "$SOURCE_DATE_EPOCH" \
				"$inode" "$time"
		done
	done >"$tmp/times"
	debugfs -w -f "$tmp/times" "$tmp/root.ext4" >"$tmp/log" 2>&1 || die "debugfs failed"
	# After cloud-init has grown the root to 20 GiB the kernel would zero the new inode tables for
	# minutes, at the cost of an emulated CPU and of the overlay's size.
	tune2fs -E mount_opts=noinit_itable "$tmp/root.ext4" >/dev/null
	e2fsck -fn "$tmp/root.ext4" >"$tmp/log" 2>&1 || {
		tail -n 5 "$tmp/log" >&2
		die "the file system is not sound"
	}
	rm -rf --one-file-system "$tmp/root" "$tmp/times"
}

make_disk() {
	say "disk"
	disk=$tmp/disk.raw
	truncate -s "$((ALIGN + BOOT + ROOT_MIB + 1))M" "$disk"
	dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" conv=notrunc status=none
	{
		entry 200 016 $((ALIGN * 2048)) $((BOOT * 2048))
		entry 000 203 $(((ALIGN + BOOT) * 2048)) $((ROOT_MIB * 2048))
		entry 000 000 0 0
		entry 000 000 0 0
		printf '\125\252'
	} | dd of="$disk" bs=1 seek=446 conv=notrunc status=none

	truncate -s "${BOOT}M" "$tmp/boot.fat"
	mformat -i "$tmp/boot.fat" -T $((BOOT * 2048)) -h 255 -s 63 -H $((ALIGN * 2048)) -N 4d4b4249 -v BOOT ::
	cat >"$tmp/syslinux.cfg" <<-END
		SERIAL 0 115200
		DEFAULT linux
		PROMPT 0
		TIMEOUT 0
		LABEL linux
		 LINUX vmlinuz
		 INITRD initrd.img
		 APPEND $plain
	END
	touch -d "@$SOURCE_DATE_EPOCH" "$tmp/vmlinuz" "$tmp/initrd.img" "$tmp/syslinux.cfg"
	mcopy -m -i "$tmp/boot.fat" "$tmp/vmlinuz" "$tmp/initrd.img" "$tmp/syslinux.cfg" ::
	syslinux --install "$tmp/boot.fat"
	dd if="$tmp/boot.fat" of="$disk" bs=1M seek=$ALIGN conv=notrunc,sparse status=none

	make_file_system
	dd if="$tmp/root.ext4" of="$disk" bs=1M seek=$((ALIGN + BOOT)) conv=notrunc,sparse status=none
	qemu-img convert -f raw -O qcow2 "$disk" "$tmp/$NAME.qcow2"
	rm "$disk" "$tmp/boot.fat" "$tmp/syslinux.cfg" "$tmp/root.ext4"
}

write_manifest() {
	files="$NAME.qcow2 vmlinuz vmlinux initrd.img cmdline"
	(cd "$tmp" && sha256sum $files >SHA256SUMS)
	{
		[ -z "${MANIFEST_HEAD:-}" ] || echo "$MANIFEST_HEAD"
		echo "suite=$SUITE"
		echo "epoch=$SOURCE_DATE_EPOCH"
		echo "packages=$(sha256sum <"$tmp/packages" | cut -d' ' -f1)"
		echo "kernel=$kernel"
		echo "glibc=$(sed -n 's/^libc6 //p' "$tmp/packages")"
		sed 's/^\([0-9a-f]*\)  \(.*\)$/sha256.\2=\1/' "$tmp/SHA256SUMS"
		cat "$tmp/libraries"
		sed 's/^/package=/' "$tmp/packages"
	} >"$tmp/manifest"
}

bake_image() {
	make_root
	chroot "$tmp/root" ldconfig -p | sed -n 's/^\t\([^ ]*\) (libc6.*/library=\1/p' | sort -u >"$tmp/libraries"
	make_boot_files
	write_sources
	forget
	make_disk
	write_manifest
}

# The old manifest goes first and the new one comes last, so that a manifest always speaks of the files beside it. The
# image is a base for overlays, hence read-only.
bake_publish() {
	chmod 444 "$tmp/$NAME.qcow2"
	chmod 644 "$tmp/vmlinuz" "$tmp/vmlinux"
	rm -f "$out/manifest"
	for file in $files SHA256SUMS packages manifest; do
		mv -f "$tmp/$file" "$out/$file"
	done
	say "made $out/$NAME.qcow2, $(du -h "$out/$NAME.qcow2" | cut -f1)"
}
