/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: every fault with its line, defaults, precedence, differences. */
/* LINK: base model */
/* LIBS: inih libcbor jansson libsystemd */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/conf.h"
#include "model/conf_read.h"
#include "model/conf_value.h"
#include "model/utf8.h"

/* Two lines that make a guest of which nothing is to be said. */
#define URL "[Image]\nURL=https://h/i\n"
#define OK  "[Image]\nKernel=/k\n"

#define BLOB1 "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define BLOB2 "AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"
#define KEY1  "ssh-ed25519 " BLOB1 " one@example"
#define KEY2  "ssh-ed25519 " BLOB2
#define S10   "aaaaaaaaaa"
#define S40   S10 S10 S10 S10

/* clang-format off */
#define TEXT(path, guest, text) { path, guest, text, sizeof(text) - 1 }
/* clang-format on */

/* What one guest text of the file "g" gives; one that is not read is NULL. */
static int parse2(
	const char *daemon, const char *guest, struct spec **ret, struct conf_faults *faults)
{
	struct conf_text texts[2];
	size_t n = 0;

	if (daemon)
		texts[n++] = (struct conf_text){ "d", NULL, daemon, strlen(daemon) };
	if (guest)
		texts[n++] = (struct conf_text){ "g", "vm", guest, strlen(guest) };
	return conf_parse(texts, n, ret, faults);
}

static struct spec *parse_good(const char *daemon, const char *guest)
{
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;
	int r = parse2(daemon, guest, &spec, &faults);

	if (r < 0)
		fail_msg("refused: %s", faults.n ? faults.list[0].text : "without a word");
	conf_faults_clear(&faults);
	return spec;
}

/* One text, the faults it must give: the beginning of each line, in order, and no others. A '!'
 * before it marks a warning. */
struct fault_case {
	bool daemon;
	const char *text;
	const char *faults[4];
};

static const struct fault_case fault_cases[] = {
	/* Lines. */
	{ 0, OK "Path\n", { "g:3: 'Path' is no assignment; allowed: Key=Value" } },
	{ 0, OK "Path: /x\n", { "g:3: 'Path: /x' is no assignment" } },
	{ 0, OK "Pa th=/x\n", { "g:3: 'Pa th' is no key" } },
	{ 0, OK "Path:x=/x\n", { "g:3: 'Path:x' is no key" } },
	{ 0, OK "=/x\n", { "g:3: '' is no key" } },
	{ 0, OK "P\xc3\xa4th=/x\n", { "g:3: 'P\xc3\xa4th' is no key" } },
	{ 0, OK "Initrd=\xff\n", { "g:3: the line is not valid UTF-8" } },
	{ 0, OK "# caf\xe9\n", { "g:3: the line is not valid UTF-8" } },
	{ 0, OK "Cmdline=a\x1b[31m\n", { "g:3: the line holds a control character" } },
	{ 0, OK "Cmdline=a\rb\n", { "g:3: the line holds a control character" } },
	{ 0, OK "Cmdline=a \\\n  b\n",
		{ "g:3: the line ends in '\\'", "g:4: 'b' is no assignment" } },
	{ 0, "Memory=6G\n" OK, { "g:1: Memory: stands before the first section" } },
	{ 1, "Reserve=1G\n", { "d:1: Reserve: stands before the first section" } },
	{ 0, "x\n" OK "y", { "g:1: 'x' is no assignment", "g:4: 'y' is no assignment" } },
	/* Sections. */
	{ 0, OK "[Guest] x\n", { "g:3: '[Guest] x' is no section header" } },
	{ 0, OK "[Guest\n", { "g:3: '[Guest' is no section header" } },
	{ 0, OK "[]\n", { "g:3: '[]' is no section header" } },
	{ 0, OK "[[Guest]]\n", { "g:3: '[[Guest]]' is no section header" } },
	{ 0, OK "[Gest]\nFoo=1\n", { "g:3: [Gest] is no known section; did you mean [Guest]?" } },
	{ 0, OK "[Servce a]\n",
		{ "g:3: [Servce a] is no known section; did you mean [Service]?" } },
	{ 0, OK "[Elephant]\n",
		{ "g:3: [Elephant] is no known section; allowed: [Guest] [Image]" } },
	{ 1, "[Elephant]\n", { "d:1: [Elephant] is no known section; allowed: [Daemon] [Pool]" } },
	{ 0, OK "[Pool]\nReserve=1G\n",
		{ "g:3: [Pool] does not belong here; allowed: in mediakitd" } },
	{ 1, "[Guest]\n", { "d:1: [Guest] does not belong here; allowed: in guests.d/" } },
	{ 1, "[Service x]\n", { "d:1: [Service] does not belong here" } },
	{ 0, OK "[Service]\n", { "g:3: [Service]: the name is missing" } },
	{ 0, OK "[Service A]\n", { "g:3: [Service]: 'A' is no service name" } },
	{ 0, OK "[Service a b]\n", { "g:3: [Service]: 'a b' is no service name" } },
	{ 0, OK "[Service -a]\n", { "g:3: [Service]: '-a' is no service name" } },
	{ 0, OK "[Service " S40 "a]\n", { "g:3: [Service]: '" S40 "a' is no service name" } },
	{ 0, OK "[Service " S40 S10 "]\n", { "g:3: '[Service " S40 S10 "]' is too long" } },
	/* Keys. */
	{ 0, OK "[Guest]\nMemroy=6G\n",
		{ "g:4: Memroy: is no key of [Guest]; did you mean Memory?" } },
	{ 0, OK "[Guest]\nmemory=6G\n",
		{ "g:4: memory: is no key of [Guest]; did you mean Memory?" } },
	{ 0, OK "[Guest]\nMemoryMin=1G\n",
		{ "g:4: MemoryMin: is no key of [Guest]; it belongs in [Memory]" } },
	{ 0, OK "[Guest]\nBanana=1\n",
		{ "g:4: Banana: is no key of [Guest]; allowed: Hostname User" } },
	{ 0, OK "[Service a]\nProt=1\n",
		{ "g:4: Prot: is no key of [Service a]; did you mean Port?" } },
	{ 0, OK "[Guest]\nMemory=1G\nMemory=2G\n", { "!g:5: Memory: was set on line 4 already" } },
	{ 0, OK "[Guest]\nMemory=1G\n[Guest]\nCPUs=2\n", { NULL } },
	{ 0, OK "[Guest]\nMemory=1G\nMemory=\nMemory=2G\n", { NULL } },
	/* Values, type by type. */
	{ 1, "[Daemon]\nConnection=qemu\n", { "d:2: Connection: 'qemu' is no libvirt URI" } },
	{ 1, "[Daemon]\nConnection=qemu:/// x\n",
		{ "d:2: Connection: 'qemu:/// x' is no libvirt" } },
	{ 1, "[Daemon]\nStateDirectory=var\n",
		{ "d:2: StateDirectory: 'var' is no absolute path" } },
	{ 1, "[Daemon]\nRuntimeDirectory=/" S40 S40 S10 S10 "\n",
		{ "d:2: RuntimeDirectory: '/" S40 } },
	{ 1, "[Pool]\nReserve=1.5G\n", { "d:2: Reserve: '1.5G' is no size" } },
	{ 1, "[Pool]\nReserve=17T\n", { "d:2: Reserve: '17T' is out of bounds" } },
	{ 1, "[Pool]\nReserve=-1\n", { "d:2: Reserve: '-1' is no size" } },
	{ 1, "[Pool]\nReserve=1023\n", { "d:2: Reserve: '1023' is no size" } },
	{ 0, OK "[Guest]\nMemory=127M\n",
		{ "g:4: Memory: '127M' is out of bounds; allowed: 128M" } },
	{ 0, OK "[Guest]\nMemory=99999999999999999999G\n", { "g:4: Memory: '9999" } },
	{ 0, OK "[Guest]\nDisk=1023M\n", { "g:4: Disk: '1023M' is out of bounds; allowed: 1G" } },
	{ 0, OK "[Guest]\nCPUs=0\n", { "g:4: CPUs: '0' is out of bounds; allowed: 1 to 64" } },
	{ 0, OK "[Guest]\nCPUs=65\n", { "g:4: CPUs: '65' is out of bounds" } },
	{ 0, OK "[Guest]\nCPUs=two\n", { "g:4: CPUs: 'two' is no number" } },
	{ 0, OK "[Guest]\nCPUs=2 # two\n", { "g:4: CPUs: '2 # two' is no number" } },
	{ 0, OK "[Guest]\nCPUWeight=10001\n", { "g:4: CPUWeight: '10001' is out of bounds" } },
	{ 0, OK "[Guest]\nCPUQuota=50\n", { "g:4: CPUQuota: '50' is no percentage" } },
	{ 0, OK "[Guest]\nCPUQuota=0%\n", { "g:4: CPUQuota: '0%' is out of bounds" } },
	{ 0, OK "[Guest]\nCPUQuota=%\n", { "g:4: CPUQuota: '%' is no percentage" } },
	{ 0, OK "[Guest]\nAccel=hvf\n",
		{ "g:4: Accel: 'hvf' is no known word; allowed: auto, tcg" } },
	{ 0, OK "[Guest]\nArch=riscv64\n", { "g:4: Arch: 'riscv64' is no known word" } },
	{ 0, OK "[Guest]\nAutostart=maybe\n", { "g:4: Autostart: 'maybe' is no yes or no" } },
	{ 0, OK "[Guest]\nHostname=a_b\n", { "g:4: Hostname: 'a_b' is no host name" } },
	{ 0, OK "[Guest]\nHostname=a.\n", { "g:4: Hostname: 'a.' is no host name" } },
	{ 0, OK "[Guest]\nHostname=.a\n", { "g:4: Hostname: '.a' is no host name" } },
	{ 0, OK "[Guest]\nHostname=a-.b\n", { "g:4: Hostname: 'a-.b' is no host name" } },
	{ 0, OK "[Guest]\nHostname=" S40 "." S10 S10 "aaaa\n", { "g:4: Hostname: '" S40 } },
	{ 0, OK "[Guest]\nUser=root\n", { "g:4: User: 'root' is no user name" } },
	{ 0, OK "[Guest]\nUser=0day\n", { "g:4: User: '0day' is no user name" } },
	{ 0, OK "[Guest]\nUser=a: b\n", { "g:4: User: 'a: b' is no user name" } },
	{ 0, OK "URL=http://h/i\n", { "g:3: URL: 'http://h/i' is no image URL" } },
	{ 0, OK "URL=https://h/\n", { "g:3: URL: 'https://h/' is no image URL" } },
	{ 0, OK "URL=https:///i\n", { "g:3: URL: 'https:///i' is no image URL" } },
	{ 0, OK "URL=https://h\n", { "g:3: URL: 'https://h' is no image URL" } },
	{ 0, OK "URL=https://u:p@h/i\n", { "g:3: URL: 'https://u:p@h/i' is no image URL" } },
	{ 0, OK "URL=https://h/i?a\n", { "g:3: URL: 'https://h/i?a' is no image URL" } },
	{ 0, OK "URL=https://h/..\n", { "g:3: URL: 'https://h/..' is no image URL" } },
	{ 0, OK "URL=file://h/i\n", { "g:3: URL: 'file://h/i' is no image URL" } },
	{ 0, OK "URL=ftp://h/i\n", { "g:3: URL: 'ftp://h/i' is no image URL" } },
	{ 0, OK "Fingerprint=12\n", { "g:3: Fingerprint: '12' is no key fingerprint" } },
	{ 0, OK "GlibcMin=new\n", { "g:3: GlibcMin: 'new' is no glibc version" } },
	{ 0, OK "GlibcMin=2\n", { "g:3: GlibcMin: '2' is no glibc version" } },
	{ 0, OK "Path=x.img\n", { "g:3: Path: 'x.img' is no absolute path" } },
	{ 0, "[Image]\nPath=/x\nSHA256=12\n", { "g:3: SHA256: '12' is no SHA-256 digest" } },
	{ 0, OK "[Network]\nBind=localhost\n", { "g:4: Bind: 'localhost' is no numeric IPv4" } },
	{ 0, OK "[Network]\nBind=::1\n", { "g:4: Bind: '::1' is no numeric IPv4" } },
	{ 0, OK "[Network]\nBind=10.0.0\n", { "g:4: Bind: '10.0.0' is no numeric IPv4" } },
	{ 0, OK "[Network]\nBind=255.255.255.255\n", { "g:4: Bind: '255.255.255.255' is out of" } },
	{ 0, OK "[Network]\nPortOffset=65535\n", { "g:4: PortOffset: '65535' is out of bounds" } },
	{ 0, OK "[Network]\nSSHPort=0\n",
		{ "g:4: SSHPort: '0' is out of bounds; allowed: 1 to 65535, or" } },
	{ 0, OK "[Network]\nEgress=some\n", { "g:4: Egress: 'some' is no known word" } },
	{ 0, OK "[CloudInit]\nAuthorizedKeys=me\n",
		{ "g:4: AuthorizedKeys: 'me' is no SSH public" } },
	{ 0, OK "[CloudInit]\nAuthorizedKeys=ssh-ed25519 AAAA me\n", { "g:4: AuthorizedKeys: " } },
	{ 0, OK "[CloudInit]\nAuthorizedKeys=ssh-rsa " BLOB1 "\n", { "g:4: AuthorizedKeys: " } },
	{ 0, OK "[CloudInit]\nAuthorizedKeys=ssh-dss " BLOB1 "\n", { "g:4: AuthorizedKeys: " } },
	{ 0, OK "[CloudInit]\nAuthorizedKeys=ssh-ed25519 " BLOB1 "*AAA\n",
		{ "g:4: AuthorizedKeys: " } },
	{ 0, OK "[CloudInit]\nAuthorizedKeys=ssh-ed25519 " BLOB1 "A\n",
		{ "g:4: AuthorizedKeys: " } },
	{ 0, OK "[CloudInit]\nAuthorizedKeys=command=\"x\" " KEY1 "\n",
		{ "g:4: AuthorizedKeys: " } },
	{ 0, OK "[CloudInit]\nAuthorizedKeysFile=~/k\n",
		{ "g:4: AuthorizedKeysFile: '~/k' is no" } },
	{ 0, OK "[CloudInit]\nEveryBoot=1\n", { "g:4: EveryBoot: '1' is no " } },
	{ 0, OK "[CloudInit]\nPackages=ok Bad\n",
		{ "g:4: Packages: 'Bad' is no package name",
			"g:4: Packages: a guest with Egress=none" } },
	{ 0, OK "[Shutdown]\nTimeout=0\n", { "g:4: Timeout: '0' is out of bounds" } },
	{ 0, OK "[Shutdown]\nTimeout=infinity\n", { "g:4: Timeout: 'infinity' is out of bounds" } },
	{ 0, OK "[Shutdown]\nQuitTimeout=2h\n", { "g:4: QuitTimeout: '2h' is out of bounds" } },
	{ 0, OK "[Shutdown]\nTimeout=3 parsecs\n",
		{ "g:4: Timeout: '3 parsecs' is no time span" } },
	{ 0, OK "[Restart]\nLimit=0\n", { "g:4: Limit: '0' is out of bounds" } },
	{ 0, OK "[Restart]\nWindow=8d\n", { "g:4: Window: '8d' is out of bounds" } },
	{ 0, OK "[Boot]\nDeadlineFactor=1\n", { "g:4: DeadlineFactor: '1' is out of bounds" } },
	{ 0, OK "[Boot]\nDeadlineMin=9s\n", { "g:4: DeadlineMin: '9s' is out of bounds" } },
	{ 0, OK "[Boot]\nOnStuck=kill\n", { "g:4: OnStuck: 'kill' is no " } },
	{ 0, OK "[Memory]\nWeight=0\n", { "g:4: Weight: '0' is out of bounds" } },
	{ 0, OK "[Service a]\nPort=65536\n", { "g:4: Port: '65536' is out of bounds" } },
	{ 0, OK "[Service a]\nPort=0\n", { "g:4: Port: '0' is out of bounds" } },
	{ 0, OK "[Service a]\nPort=none\n", { "g:4: Port: 'none' is no port" } },
	{ 0, OK "[Service a]\nProbe=icmp\n",
		{ "g:4: Probe: 'icmp' is no known word; allowed: cbor," } },
	{ 0, OK "[Service a]\nPath=healthz\n", { "g:4: Path: 'healthz' is no request path" } },
	{ 0, OK "[Service a]\nPath=/a b\n", { "g:4: Path: '/a b' is no request path" } },
	{ 0, OK "[Service a]\nInterval=99ms\n", { "g:4: Interval: '99ms' is out of bounds" } },
	{ 0, OK "[Service a]\nTimeout=61s\n", { "g:4: Timeout: '61s' is out of bounds" } },
	{ 0, OK "[Service a]\nRise=0\nFall=11\n",
		{ "g:4: Rise: '0' is out of bounds", "g:5: Fall: '11' is out of bounds" } },
	{ 0, OK "[Service a]\nStartBudget=2d\n", { "g:4: StartBudget: '2d' is out of bounds" } },
	{ 0, OK "[Service a]\nExpect=hope\n", { "g:4: Expect: 'hope' is no known word" } },
	{ 0, OK "[Service a]\nDependsOn=B\n", { "g:4: DependsOn: 'B' is no service name" } },
	{ 0,
		OK
		"[Service a]\nDependsOn=b c d e f g h i j\n[Service b]\n[Service c]\n[Service d]\n"
		"[Service e]\n[Service f]\n[Service g]\n[Service h]\n[Service i]\n[Service j]\n",
		{ "g:4: DependsOn: 'j' is one too many; allowed: names of services of this guest, "
		  "parted" } },
	{ 0, OK "[Service a]\nUnit=nginx\n", { "g:4: Unit: 'nginx' is no systemd unit name" } },
	{ 0, OK "[Service a]\nUnit=a@.service\n",
		{ "g:4: Unit: 'a@.service' is no systemd unit" } },
	{ 0, OK "[Service a]\nUnit=a b.service\n", { "g:4: Unit: 'a b.service' is no systemd" } },
	{ 0,
		OK "[Service a]\nPurpose=a\xe2\x80\xae"
		   "b\n",
		{ "g:4: Purpose: 'a\\xe2\\x80\\xaeb' is no printable" } },
	{ 0, OK "[Service a]\nPurpose=" S40 S40 S40 "a\n", { "g:4: Purpose: '" S40 } },
	/* Across values. */
	{ 1, "[Pool]\nReserve=1G\nCritical=2G\n",
		{ "d:3: Critical: 2.0 GiB is over Reserve=1.0 GiB" } },
	{ 1, "[Pool]\nReserve=256M\n", { "d:2: Critical: 512 MiB is over Reserve=256 MiB" } },
	{ 1, "[Pool]\nReserve=x\nCritical=2G\n", { "d:2: Reserve: 'x' is no size" } },
	{ 1, "[Pool]\nShrinkBelow=20\n", { "d:2: ShrinkBelow: '20' is no percentage" } },
	{ 1, "[Pool]\nShrinkBelow=30%\n", { "d:2: LeaveAbove: 25% is not over ShrinkBelow=30%" } },
	{ 1, "[Pool]\nLeaveAbove=20%\n", { "d:2: LeaveAbove: 20% is not over ShrinkBelow=20%" } },
	{ 1, "[Pool]\nTotal=768M\n", { "d:2: Total: 768 MiB is less than the guests" } },
	{ 0, OK "[Memory]\nIdleTarget=3G\n", { "g:4: IdleTarget: means nothing while memory" } },
	{ 0, OK "[Memory]\nReclaim=eager\nMemoryMin=2G\nIdleTarget=1G\n",
		{ "g:6: IdleTarget: 1.0 GiB is not between MemoryMin=2.0 GiB" } },
	{ 0, OK "[Memory]\nReclaim=eager\nIdleTarget=7G\n",
		{ "g:5: IdleTarget: 7.0 GiB is not between" } },
	{ 0, OK "[Memory]\nMemoryMin=7G\n", { "g:4: MemoryMin: 7.0 GiB is over Memory=6.0 GiB" } },
	{ 0, OK "[Guest]\nMemory=1X\n[Memory]\nMemoryMin=7G\n",
		{ "g:4: Memory: '1X' is no size" } },
	{ 0, "[Guest]\nMemory=1G\n", { "g: Path: the guest has nothing to boot" } },
	{ 0, "[Image]\nPath=x\n", { "g:2: Path: 'x' is no absolute path" } },
	{ 0, "[Image]\nPath=/x\n",
		{ "!g:2: Path: no SHA256= is given, so the image is unverified" } },
	{ 0, URL, { "g:2: URL: nothing says what may be fetched; add SHA256=" } },
	{ 0, URL "SHA256=" S40 S10 S10 "aaaa\n", { NULL } },
	{ 0, URL "Keyring=/k\nFingerprint=" S40 "\n", { NULL } },
	{ 0, URL "Keyring=/k\nSHA256=" S40 S10 S10 "aaaa\n",
		{ "g:3: Keyring: means nothing without the other of the two" } },
	{ 0, URL "Fingerprint=" S40 "\n", { "g:3: Fingerprint: means nothing without" } },
	{ 0, URL "Path=/x\n", { "!g:3: Path: no SHA256= is given" } },
	{ 0, OK "SHA256=" S40 S10 S10 "aaaa\n", { "g:3: SHA256: there is no image to check" } },
	{ 0, "[Image]\nPath=/x\nSHA256=" S40 S10 S10 "aaaa\nInitrd=/i\nCmdline=ro\n",
		{ "g:4: Initrd: means nothing without", "g:5: Cmdline: means nothing without" } },
	{ 0, "[Guest]\nArch=aarch64\n[Image]\nPath=/x\nSHA256=" S40 S10 S10 "AAAA\n",
		{ "g:2: Arch: an aarch64 guest is booted directly" } },
	{ 0, OK "[CloudInit]\nPackages=nginx\n",
		{ "g:4: Packages: a guest with Egress=none cannot" } },
	{ 0, OK "[Network]\nEgress=all\n[CloudInit]\nPackages=nginx\n",
		{ "!g:4: Egress: all opens more than the way out: the guest reaches every service "
		  "on "
		  "this host's loopback, at 10.0.2.2" } },
	{ 0, OK "[Network]\nBind=0.0.0.0\n", { "!g:4: Bind: 0.0.0.0 opens" } },
	{ 0, OK "[Network]\nPortOffset=65530\n",
		{ "g:4: PortOffset: 65530 leaves no port for SSH" } },
	{ 0, OK "[Network]\nPortOffset=65530\nSSHPort=none\n", { NULL } },
	{ 0, OK "[Service a]\nPort=60000\n",
		{ "g:4: Port: 60000 and PortOffset 10000 make 70000" } },
	{ 0, OK "[Service a]\nPort=60000\nHostPort=60000\n", { NULL } },
	{ 0, OK "[Service a]\nHostPort=80\n",
		{ "g:4: HostPort: service a has no port to forward" } },
	{ 0, OK "[Service a]\nProbe=http\n",
		{ "g:4: Probe: service a has no port to probe by http" } },
	{ 0, OK "[Service a]\nProbe=tcp\n",
		{ "g:4: Probe: service a has no port to probe by tcp" } },
	{ 0, OK "[Service a]\nProbe=cbor\n",
		{ "g:4: Probe: service a has no port to probe by cbor" } },
	{ 0, OK "[Service a]\nProbe=unit\n[Service b]\nProbe=none\n[Service c]\n", { NULL } },
	{ 0, OK "[Service a]\nPort=x\nProbe=http\n", { "g:4: Port: 'x' is no port" } },
	{ 0, OK "[Service a]\nFastInterval=11s\n",
		{ "g:4: FastInterval: 11s is over Interval=10s" } },
	{ 0, OK "[Service a]\nInterval=1s\nFastInterval=2s\n",
		{ "g:5: FastInterval: 2.0s is over" } },
	{ 0, OK "[Service a]\nTimeout=11s\n", { "!g:4: Timeout: 11s is over Interval=10s" } },
	{ 0, OK "[Service a]\nInterval=500ms\n", { NULL } },
	{ 0, OK "[Service a]\nRestartUnit=yes\n", { NULL } },
	{ 0, OK "[Service a]\nRestartUnit=yes\nExpect=pending\n",
		{ "!g:4: RestartUnit: service a is pending" } },
	{ 0, OK "[Service a]\nRestartUnit=yes\nProbe=none\n",
		{ "!g:4: RestartUnit: service a is not probed" } },
	{ 0, OK "[Restart]\nOnCrash=no\n", { "g:4: OnCrash: " } },
	{ 0, OK "[Backup]\nKeep=0\n", { "g:4: Keep: '0' is out of bounds; allowed: 1 to 32" } },
	{ 0, OK "[Backup]\nKeep=33\n", { "g:4: Keep: '33' is out of bounds; allowed: 1 to 32" } },
	{ 0, OK "[Backup]\nKeep=-1\n", { "g:4: Keep: '-1' is no number; allowed: 1 to 32" } },
	{ 0, OK "[Backup]\nTimeout=soon\n",
		{ "g:4: Timeout: 'soon' is no time span; allowed: 10s to 1d, such as 1h" } },
	{ 0, OK "[Backup]\nTimeout=1s\n", { "g:4: Timeout: '1s' is out of bounds; allowed: 10s" } },
	{ 0, OK "[Backup]\nKep=3\n",
		{ "g:4: Kep: is no key of [Backup]; did you mean Keep?" } },
	{ 0, OK "[Restart]\nQuorum=101%\n", { "g:4: Quorum: " } },
	{ 0, OK "[Restart]\nQuorum=0%\n", { "g:4: Quorum: " } },
	{ 0, OK "[Service a]\nPort=9\n[Service b]\nPort=9\n",
		{ "g:6: Port: host port 10009 of service b of guest vm is taken by service a of "
		  "guest vm" } },
	{ 0, OK "[Service a]\nPort=9\nHostPort=10022\n",
		{ "g:5: HostPort: host port 10022 of service a of guest vm is taken by SSH of "
		  "guest vm" } },
	{ 0, OK "[Service a]\nPort=9\nHostPort=9\n[Service b]\nPort=9\n", { NULL } },
	{ 0, OK "[Service abc]\nDependsOn=abcd\n[Service abce]\n",
		{ "g:4: DependsOn: guest vm has no service abcd; did you mean abc?" } },
	{ 0, OK "[Service a]\nDependsOn=elephant\n",
		{ "g:4: DependsOn: guest vm has no service elephant; allowed: services of" } },
	{ 0, OK "[Service a]\nDependsOn=a\n", { "g:4: DependsOn: service a depends on itself" } },
	{ 0, OK "[Service a]\nDependsOn=b\n[Service b]\nDependsOn=c\n[Service c]\nDependsOn=b\n",
		{ "g:8: DependsOn: the services wait for each other: b -> c -> b; allowed: no "
		  "cycle" } },
	{ 0, OK "[Service a]\nDependsOn=b c\n[Service b]\nDependsOn=c\n[Service c]\n", { NULL } },
	{ 0,
		OK "[Service a]\nDependsOn=b\n[Service b]\nDependsOn=a\n"
		   "[Service c]\nDependsOn=d\n[Service d]\nDependsOn=c a\n",
		{ "g:6: DependsOn: the services wait for each other: a -> b -> a",
			"g:10: DependsOn: the services wait for each other: c -> d -> c" } },
	/* Nothing wrong with any of these. */
	{ 0, "\xef\xbb\xbf" OK, { NULL } },
	{ 0, "[Image]\r\nKernel=/k\r\n\r\n", { NULL } },
	{ 0, "  [Image]  \n\tKernel = /k \n ; a\n # b\n", { NULL } },
	{ 0, OK "Cmdline=root=/dev/vda1 a:b ; # [x]\n", { NULL } },
	{ 0, OK "[Service " S40 "]\n", { NULL } },
	{ 1, "", { NULL } },
};

static bool fault_fits(const struct conf_fault *f, const char *want)
{
	bool warning = *want == '!';

	if (warning)
		want++;
	if (f->warning != warning || strncmp(f->text, want, strlen(want)) != 0)
		return false;
	/* What is wrong and what is allowed, or what was meant. */
	return warning || strstr(f->text, "allowed: ") || strstr(f->text, "did you mean ") ||
	       strstr(f->text, "it belongs in ");
}

static void expect_faults(
	const char *what, const struct conf_faults *faults, const char *const *want)
{
	unsigned n = 0;

	for (; n < 4 && want[n]; n++)
		if (n >= faults->n || !fault_fits(&faults->list[n], want[n]))
			fail_msg("in\n%s\nfault %u is\n  %s\nnot\n  %s", what, n,
				n < faults->n ? faults->list[n].text : "none", want[n]);
	if (faults->n != n)
		fail_msg("in\n%s\none fault too many: %s", what, faults->list[n].text);
}

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fault_cases); i++) {
		const struct fault_case *c = &fault_cases[i];
		struct conf_faults faults = { 0 };
		struct spec *spec = NULL;
		int r = parse2(
			c->daemon ? c->text : NULL, c->daemon ? NULL : c->text, &spec, &faults);

		expect_faults(c->text, &faults, c->faults);
		assert_int_equal(r, faults.n_errors ? -EINVAL : 0);
		assert_true((spec != NULL) == (r == 0));
		for (unsigned f = 0; f < faults.n; f++)
			assert_true(
				utf8_printable(faults.list[f].text, strlen(faults.list[f].text)));
		conf_faults_clear(&faults);
		spec_free(spec);
	}
}

/* What a C string cannot hold. */
static void test_nul(void **state)
{
	static const char text[] = "[Image]\nKernel=/k\0\nKernel=/k\nInitrd=/i\n";
	const struct conf_text t = { "g", "vm", text, sizeof(text) - 1 };
	static const char *const want[4] = { "g:2: the line holds a NUL byte" };
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	(void)state;
	assert_int_equal(conf_parse(&t, 1, &spec, &faults), -EINVAL);
	expect_faults("NUL", &faults, want);
	conf_faults_clear(&faults);
}

static void test_long_lines(void **state)
{
	static const char head[] = OK "#";
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;
	char *text = malloc(sizeof(head) + CONF_LINE_MAX + 32);

	(void)state;
	assert_non_null(text);
	/* The longest line is read whole, by us and by inih, and the lines behind keep their
	 * numbers. */
	memcpy(text, head, sizeof(head));
	memset(text + sizeof(head) - 1, 'x', CONF_LINE_MAX - 1);
	strcpy(text + sizeof(head) - 1 + CONF_LINE_MAX - 1, "\nCmdline=a\nx\n");
	static const char *const at_limit[4] = { "g:5: 'x' is no assignment" };
	assert_int_equal(parse2(NULL, text, &spec, &faults), -EINVAL);
	expect_faults("longest line", &faults, at_limit);
	conf_faults_clear(&faults);

	strcpy(text + sizeof(head) - 1 + CONF_LINE_MAX - 1, "x\nCmdline=a\nx\n");
	static const char *const over[4] = {
		"g:3: the line has 16385 bytes; allowed: at most 16384", "g:5: 'x' is no assignment"
	};
	assert_int_equal(parse2(NULL, text, &spec, &faults), -EINVAL);
	expect_faults("too long a line", &faults, over);
	conf_faults_clear(&faults);

	/* A long value is not cut. */
	memcpy(text, OK "Cmdline=", sizeof(OK "Cmdline="));
	memset(text + strlen(text), 'y', 2047);
	text[sizeof(OK "Cmdline=") - 1 + 2047] = '\0';
	assert_int_equal(parse2(NULL, text, &spec, &faults), 0);
	assert_int_equal(strlen(spec->guests[0].cmdline), 2047);
	spec_free(spec);
	free(text);
}

/* The point of it all: several files, several faults, one report. */
static void test_all_at_once(void **state)
{
	static const struct conf_text texts[] = {
		TEXT("mediakitd.conf", NULL, "[Pool]\nReserv=1G\n\nCritical=x\n"),
		TEXT("a.conf", "a", OK "[Guest]\nMemory=lots\n[Service web]\nPort=80\n"),
		TEXT("a.conf.d/1.conf", "a", "oops\n[Service web]\nExpect=no\n"),
		TEXT("b.conf", "b", OK "[Service web]\nPort=80\n"),
	};
	static const char *const want[] = {
		"mediakitd.conf:2: Reserv: is no key",
		"mediakitd.conf:4: Critical: 'x' is no size",
		"a.conf:4: Memory: 'lots' is no size",
		"a.conf.d/1.conf:1: 'oops' is no assignment",
		"a.conf.d/1.conf:3: Expect: 'no' is no known word",
		"b.conf: SSHPort: host port 10022 of SSH of guest b is taken by SSH of guest a",
		"b.conf:4: Port: host port 10080 of service web of guest b is taken by service web "
		"of "
		"guest a",
	};
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	(void)state;
	assert_int_equal(conf_parse(texts, ARRAY_SIZE(texts), &spec, &faults), -EINVAL);
	assert_null(spec);
	assert_int_equal(faults.n, ARRAY_SIZE(want));
	assert_int_equal(faults.n_errors, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		if (!fault_fits(&faults.list[i], want[i]))
			fail_msg("%s\nnot\n%s", faults.list[i].text, want[i]);
		assert_memory_equal(faults.list[i].text + faults.list[i].where_len - 2, ": ", 2);
	}
	conf_faults_clear(&faults);
}

/* More faults than are kept are counted. */
static void test_many_faults(void **state)
{
	char text[2 * (CONF_FAULTS_MAX + 10) + 1];
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	(void)state;
	for (size_t i = 0; i < CONF_FAULTS_MAX + 10; i++)
		memcpy(text + 2 * i, "x\n", 3);
	assert_int_equal(parse2(text, NULL, &spec, &faults), -EINVAL);
	assert_int_equal(faults.n, CONF_FAULTS_MAX);
	assert_int_equal(faults.n_dropped, 10);
	assert_int_equal(faults.n_errors, CONF_FAULTS_MAX + 10);
	conf_faults_clear(&faults);
	assert_int_equal(faults.n_errors, 0);
}

static void test_limits(void **state)
{
	static char names[SPEC_GUESTS_MAX + 1][16], text[SPEC_GUESTS_MAX + 1][64];
	static struct conf_text texts[SPEC_GUESTS_MAX + 1];
	static const char *const one_guest[4] = {
		"g: 'g256' is one guest too many; allowed: at most 256"
	};
	static const char *const one_service[4] = {
		"g:35: [Service]: 's32' is one service too many"
	};
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;
	char services[1024] = OK;

	(void)state;
	for (unsigned i = 0; i <= SPEC_GUESTS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "g%u", i);
		snprintf(text[i], sizeof(text[i]), OK "[Network]\nSSHPort=none\n");
		texts[i] = (struct conf_text){ "g", names[i], text[i], strlen(text[i]) };
	}
	assert_int_equal(conf_parse(texts, SPEC_GUESTS_MAX, &spec, &faults), 0);
	assert_int_equal(spec->n_guests, SPEC_GUESTS_MAX);
	spec_free(spec);
	spec = NULL;
	assert_int_equal(conf_parse(texts, SPEC_GUESTS_MAX + 1, &spec, &faults), -EINVAL);
	expect_faults("guests", &faults, one_guest);
	conf_faults_clear(&faults);

	for (unsigned i = 0; i <= SPEC_SERVICES_MAX; i++)
		snprintf(services + strlen(services), 32, "[Service s%u]\n", i);
	assert_int_equal(parse2(NULL, services, &spec, &faults), -EINVAL);
	expect_faults("services", &faults, one_service);
	conf_faults_clear(&faults);
}

static void test_guest_names(void **state)
{
	static const char *const bad[] = { "", "A", "a b", "-a", "a-", "a.b", "../a", S40 "a" };
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct conf_text t = { "g", bad[i], OK, strlen(OK) };

		assert_int_equal(conf_parse(&t, 1, &spec, &faults), -EINVAL);
		assert_int_equal(faults.n, 1);
		assert_non_null(strstr(faults.list[0].text, "is no guest name; allowed: 1 to 40"));
		conf_faults_clear(&faults);
	}
	struct conf_text t = { "g", S40, OK, strlen(OK) };
	assert_int_equal(conf_parse(&t, 1, &spec, &faults), 0);
	spec_free(spec);
}

static void test_defaults(void **state)
{
	struct spec *spec = parse_good(NULL, OK "[Service web]\nPort=80\n[Service db]\n");
	const struct guest_spec *g = spec_find_guest(spec, "vm");
	const struct service_spec *web = guest_spec_find_service(g, "web");
	const struct service_spec *db = guest_spec_find_service(g, "db");

	(void)state;
	assert_string_equal(spec->connection, "qemu:///system");
	assert_string_equal(spec->state_dir, "/var/lib/mediakitd");
	assert_string_equal(spec->runtime_dir, "/run/mediakitd");
	assert_string_equal(g->hostname, "vm");
	assert_string_equal(g->user, "foundry");
	assert_int_equal(g->memory_kib, 6 << 20);
	assert_int_equal(g->memory_min_kib, 3 << 19);
	assert_int_equal(g->disk_kib, 20 << 20);
	assert_int_equal(g->cpus, 2);
	assert_int_equal(g->cpu_weight, 0);
	assert_int_equal(g->accel, ACCEL_AUTO);
	assert_int_equal(g->arch, ARCH_X86_64);
	assert_true(g->autostart);
	assert_null(g->image_path);
	assert_string_equal(g->bind, "127.0.0.1");
	assert_int_equal(g->ssh_port, 10022);
	assert_int_equal(g->egress, EGRESS_NONE);
	assert_int_equal(g->memory_weight, 100);
	assert_int_equal(g->shutdown_timeout, 180 * USEC_PER_SEC);
	assert_int_equal(g->shutdown_agent, 5 * USEC_PER_SEC);
	assert_int_equal(g->shutdown_quit, 15 * USEC_PER_SEC);
	assert_int_equal(g->restart_limit, 3);
	assert_int_equal(g->restart_window, 30 * USEC_PER_MINUTE);
	assert_int_equal(web->host_port, 10080);
	assert_int_equal(web->probe, PROBE_CBOR);
	assert_string_equal(web->path, "/healthz");
	assert_string_equal(web->unit, "web.service");
	assert_int_equal(web->interval, 10 * USEC_PER_SEC);
	assert_int_equal(web->fast_interval, USEC_PER_SEC);
	assert_int_equal(web->rise, 2);
	assert_int_equal(web->fall, 3);
	assert_int_equal(service_timeout(web, false), 2 * USEC_PER_SEC);
	assert_int_equal(service_timeout(web, true), 6 * USEC_PER_SEC);
	assert_int_equal(service_start_budget(web, false), 300 * USEC_PER_SEC);
	assert_int_equal(service_start_budget(web, true), 900 * USEC_PER_SEC);
	assert_int_equal(db->host_port, 0);
	assert_int_equal(db->probe, PROBE_UNIT);
	assert_null(spec_find_guest(spec, "web"));
	assert_null(guest_spec_find_service(g, "vm"));
	spec_free(spec);
	spec_free(NULL);
}

/* Every key, written; so that no offset of the table points into a neighbour. */
static void test_every_key(void **state)
{
	struct spec *spec = parse_good(
		"[Daemon]\nConnection=test:///default\nStateDirectory=/s\nRuntimeDirectory=/r\n"
		"[Pool]\nReserve=3G\nCritical=2G\nTotal=9G\nShrinkBelow=11%\nLeaveAbove=33%\n",
		"[Guest]\nHostname=h.example\nUser=u\nMemory=1G\nCPUs=3\nCPUWeight=50\n"
		"CPUQuota=150%\nDisk=2G\nAccel=kvm\nArch=aarch64\nAutostart=no\n"
		"[Image]\nPath=/p\nSHA256=" S40 S10 S10 "AAAB\nKernel=/k\nInitrd=/i\nCmdline=c d\n"
		"URL=https://a/b\nURL=file:///c/d https://e/f\nKeyring=/r\nFingerprint=" S40
		"\nGlibcMin=2.41\n"
		"[Network]\nBind=10.1.2.3\nPortOffset=20000\nSSHPort=2222\nEgress=all\n"
		"[CloudInit]\nAuthorizedKeys=" KEY1 "\nAuthorizedKeys=" KEY2 "\n"
		"AuthorizedKeysFile=/f\nPackages=nginx g++\nPackages=nginx vim\nVendorData=/v\n"
		"EveryBoot=no\n"
		"[Memory]\nMemoryMin=256M\nWeight=7\nReclaim=eager\nIdleTarget=512M\n[Shutdown]"
		"\nTimeout=5s\n"
		"AgentTimeout=0s\nQuitTimeout=2min\n"
		"[Restart]\nLimit=9\nWindow=1h\n"
		"[Boot]\nDeadlineFactor=8\nDeadlineMin=2min\nOnStuck=restart\n"
		"[Service a]\nPort=1\nHostPort=2\nProbe=http\nPath=/q?x\nInterval=20s\n"
		"FastInterval=3s\nTimeout=4s\nRise=5\nFall=6\nStartBudget=7s\nExpect=pending\n"
		"DependsOn=b c\nUnit=x@1.socket\nPurpose=p q\n[Service b]\n[Service c]\n");
	const struct guest_spec *g = &spec->guests[0];
	const struct service_spec *s = &g->services[0];

	(void)state;
	assert_string_equal(spec->connection, "test:///default");
	assert_string_equal(spec->state_dir, "/s");
	assert_string_equal(spec->runtime_dir, "/r");
	assert_int_equal(spec->reserve_kib, 3 << 20);
	assert_int_equal(spec->critical_kib, 2 << 20);
	assert_int_equal(spec->pool_total_kib, 9 << 20);
	assert_int_equal(spec->shrink_below_pct, 11);
	assert_int_equal(spec->leave_above_pct, 33);
	assert_int_equal(g->reclaim, RECLAIM_EAGER);
	assert_int_equal(g->idle_target_kib, 512 << 10);
	assert_string_equal(g->hostname, "h.example");
	assert_string_equal(g->user, "u");
	assert_int_equal(g->memory_kib, 1 << 20);
	assert_int_equal(g->cpus, 3);
	assert_int_equal(g->cpu_weight, 50);
	assert_int_equal(g->cpu_quota_pct, 150);
	assert_int_equal(g->disk_kib, 2 << 20);
	assert_int_equal(g->accel, ACCEL_KVM);
	assert_int_equal(g->arch, ARCH_AARCH64);
	assert_false(g->autostart);
	assert_string_equal(g->image_path, "/p");
	assert_string_equal(g->image_sha256, S40 S10 S10 "aaab");
	assert_int_equal(g->n_image_urls, 3);
	assert_string_equal(g->image_urls[0], "https://a/b");
	assert_string_equal(g->image_urls[1], "file:///c/d");
	assert_string_equal(g->image_urls[2], "https://e/f");
	assert_string_equal(g->keyring, "/r");
	assert_string_equal(g->fingerprint, S40);
	assert_string_equal(g->glibc_min, "2.41");
	assert_string_equal(g->kernel, "/k");
	assert_string_equal(g->initrd, "/i");
	assert_string_equal(g->cmdline, "c d");
	assert_string_equal(g->bind, "10.1.2.3");
	assert_int_equal(g->port_offset, 20000);
	assert_int_equal(g->ssh_port, 2222);
	assert_int_equal(g->boot_factor, 8);
	assert_int_equal(g->boot_least, 120 * USEC_PER_SEC);
	assert_int_equal(g->on_stuck, ON_STUCK_RESTART);
	assert_int_equal(g->every_boot, EVERY_BOOT_NO);
	assert_int_equal(g->egress, EGRESS_ALL);
	assert_int_equal(g->n_authorized_keys, 2);
	assert_string_equal(g->authorized_keys[0], KEY1);
	assert_string_equal(g->authorized_keys[1], KEY2);
	assert_string_equal(g->authorized_keys_file, "/f");
	assert_int_equal(g->n_packages, 3);
	assert_string_equal(g->packages[0], "nginx");
	assert_string_equal(g->packages[1], "g++");
	assert_string_equal(g->packages[2], "vim");
	assert_string_equal(g->vendor_data, "/v");
	assert_int_equal(g->memory_min_kib, 256 << 10);
	assert_int_equal(g->memory_weight, 7);
	assert_int_equal(g->shutdown_timeout, 5 * USEC_PER_SEC);
	assert_int_equal(g->shutdown_agent, 0);
	assert_int_equal(g->shutdown_quit, 120 * USEC_PER_SEC);
	assert_int_equal(g->restart_limit, 9);
	assert_int_equal(g->restart_window, USEC_PER_HOUR);
	assert_int_equal(s->port, 1);
	assert_int_equal(s->host_port, 2);
	assert_int_equal(s->probe, PROBE_HTTP);
	assert_string_equal(s->path, "/q?x");
	assert_int_equal(s->interval, 20 * USEC_PER_SEC);
	assert_int_equal(s->fast_interval, 3 * USEC_PER_SEC);
	assert_int_equal(service_timeout(s, true), 4 * USEC_PER_SEC);
	assert_int_equal(s->rise, 5);
	assert_int_equal(s->fall, 6);
	assert_int_equal(service_start_budget(s, true), 7 * USEC_PER_SEC);
	assert_int_equal(s->expect, EXPECT_PENDING);
	assert_int_equal(s->n_depends, 2);
	assert_string_equal(s->depends_on[1], "c");
	assert_string_equal(s->unit, "x@1.socket");
	assert_string_equal(s->purpose, "p q");
	spec_free(spec);
}

static void test_memory_min_default(void **state)
{
	static const struct {
		const char *memory;
		uint64_t mib;
	} rows[] = { { "128M", 128 }, { "512M", 512 }, { "1G", 512 }, { "8G", 2048 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];

		snprintf(text, sizeof(text), OK "[Guest]\nMemory=%s\n", rows[i].memory);
		struct spec *spec = parse_good(NULL, text);
		assert_int_equal(spec->guests[0].memory_min_kib, rows[i].mib << 10);
		spec_free(spec);
	}
}

/* Drop-ins change what was said, lists grow, an empty assignment starts over. */
static void test_precedence(void **state)
{
	static const char *const files[] = {
		OK
		"[Guest]\nMemory=2G\nCPUs=4\n[CloudInit]\nPackages=a1 b1\n[Network]\nEgress=all\n"
		"[Service web]\nPort=80\nTimeout=3s\nUnit=x.service\n",
		"[Guest]\nMemory=3G\n[CloudInit]\nPackages=c1\n[Service web]\nTimeout=\nUnit=\n",
		"[CloudInit]\nPackages=\nPackages=d1\n[Guest]\nCPUs=\n[Service new]\nPort=81\n",
	};
	struct conf_text texts[ARRAY_SIZE(files)];
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		texts[i] = (struct conf_text){ "f", "vm", files[i], strlen(files[i]) };
	/* Three places, although one string: each file is one text. */
	texts[1].path = "f1";
	texts[2].path = "f2";
	assert_int_equal(conf_parse(texts, 2, &spec, &faults), 0);
	assert_int_equal(spec->guests[0].memory_kib, 3 << 20);
	assert_int_equal(spec->guests[0].cpus, 4);
	assert_int_equal(spec->guests[0].n_packages, 3);
	assert_int_equal(faults.n, 1); /* Egress */
	spec_free(spec);
	conf_faults_clear(&faults);

	assert_int_equal(conf_parse(texts, 3, &spec, &faults), 0);
	const struct guest_spec *g = &spec->guests[0];
	assert_int_equal(g->cpus, 2);
	assert_int_equal(g->n_packages, 1);
	assert_string_equal(g->packages[0], "d1");
	assert_int_equal(g->n_services, 2);
	assert_string_equal(g->services[0].unit, "web.service");
	assert_false(g->services[0].timeout_set);
	assert_int_equal(service_timeout(&g->services[0], true), 6 * USEC_PER_SEC);
	assert_string_equal(g->services[1].name, "new");
	spec_free(spec);
	conf_faults_clear(&faults);
}

static void test_second_guest(void **state)
{
	static const struct conf_text texts[] = {
		TEXT("a", "a", OK "[Service web]\nPort=80\n"),
		TEXT("b", "b", OK "[Network]\nPortOffset=20000\n[Service web]\nPort=80\n"),
	};
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	(void)state;
	/* An offset of its own is all it needs. */
	assert_int_equal(conf_parse(texts, 2, &spec, &faults), 0);
	assert_int_equal(spec->guests[1].ssh_port, 20022);
	assert_int_equal(spec->guests[1].services[0].host_port, 20080);
	assert_int_equal(faults.n, 0);
	spec_free(spec);
}

struct changes {
	char text[1024];
};

static void take_change(void *userdata, const struct conf_change *c)
{
	struct changes *all = userdata;
	size_t len = strlen(all->text);

	snprintf(all->text + len, sizeof(all->text) - len, "%s%s%s%s%s=%s", len ? " " : "",
		c->guest ? c->guest : "", c->service ? "/" : "", c->service ? c->service : "",
		c->guest ? ":" : "", c->key);
	len = strlen(all->text);
	snprintf(all->text + len, sizeof(all->text) - len, ",%s", conf_effect_to_string(c->effect));
}

#define WEB "[Service web]\nPort=80\n"

static const struct {
	const char *daemon, *guest; /* what is new; NULL: none */
	const char *changes;
} diff_cases[] = {
	{ "", OK WEB, "" },
	{ "", OK WEB "Timeout=2s\n", "vm/web:=Timeout,live" },
	{ "[Daemon]\nStateDirectory=/x\n[Pool]\nReserve=2G\n", OK WEB,
		"=StateDirectory,restart-daemon =Reserve,live" },
	{ "", OK WEB "[Guest]\nHostname=x\nCPUs=1\nCPUWeight=5\nAutostart=no\n",
		"vm:=Hostname,provision vm:=CPUs,next-boot vm:=CPUWeight,live vm:=Autostart,live" },
	{ "", OK WEB "[Guest]\nMemory=8G\n", "vm:=Memory,next-boot vm:=MemoryMin,live" },
	{ "", OK WEB "[Network]\nPortOffset=1000\n",
		"vm:=PortOffset,next-boot vm:=SSHPort,next-boot" },
	{ "", OK WEB "HostPort=80\n", "vm/web:=HostPort,next-boot" },
	{ "", OK "[Service web]\nPort=81\n", "vm/web:=Port,next-boot" },
	{ "", OK WEB "Interval=20s\nRise=1\nExpect=pending\nPurpose=x\nUnit=y.service\n",
		"vm/web:=Interval,live vm/web:=Rise,live vm/web:=Expect,live vm/web:=Unit,live "
		"vm/web:=Purpose,live" },
	{ "", OK WEB "[CloudInit]\nAuthorizedKeys=" KEY1 "\n", "vm:=AuthorizedKeys,provision" },
	{ "", "[Image]\nKernel=/l\n" WEB, "vm:=Kernel,next-boot" },
	{ "", OK WEB "Path=/x\n", "vm/web:=Path,live" },
	{ "", OK WEB "[Image]\nPath=/x\n", "vm:=Path,provision" },
	{ "", OK WEB "[Shutdown]\nTimeout=1s\n[Restart]\nLimit=1\n",
		"vm:=Timeout,live vm:=Limit,live" },
	{ "", OK, "vm/web:=service removed,live" },
	{ "", OK WEB "[Service b]\n[Service c]\nPort=1\nDependsOn=b\n",
		"vm/b:=service added,live vm/c:=service added,next-boot" },
	{ "", NULL, "vm:=guest removed,live" },
};

static void test_diff(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(diff_cases); i++) {
		struct spec *from = parse_good("", OK WEB);
		struct spec *to = parse_good(diff_cases[i].daemon, diff_cases[i].guest);
		struct changes all = { "" };

		conf_diff(from, to, take_change, &all);
		assert_string_equal(all.text, diff_cases[i].changes);
		all.text[0] = '\0';
		conf_diff(to, to, take_change, &all);
		assert_string_equal(all.text, "");
		spec_free(from);
		spec_free(to);
	}
	struct spec *none = parse_good("", NULL), *one = parse_good("", OK);
	struct changes all = { "" };
	conf_diff(none, one, take_change, &all);
	assert_string_equal(all.text, "vm:=guest added,live");
	spec_free(none);
	spec_free(one);
}

static void test_table(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CONF_KEY_NUM; i++) {
		assert_int_equal(conf_key_find(conf_key(i)->section, conf_key(i)->name), i);
		assert_non_null(conf_key(i)->type);
		assert_true(*conf_key(i)->allowed && *conf_key(i)->help);
		assert_in_range(strlen(conf_key(i)->help), 1, 80);
		assert_true(conf_key(i)->type->kind == CONF_BOOL ||
			    conf_key(i)->type->kind == CONF_ENUM || conf_key(i)->max > 0);
		assert_true((conf_key(i)->type->kind == CONF_ENUM) ==
			    (conf_key(i)->from_string != NULL));
		assert_non_null(conf_key_default(conf_key(i)));
	}
	assert_int_equal(conf_key_find(CONF_SECTION_GUEST, "Port"), -ENOENT);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < CONF_SECTION_NUM; i++)
		assert_int_equal(conf_section_from_string(conf_section_to_string(i)), i);
	for (int i = 0; i < CONF_EFFECT_NUM; i++)
		assert_int_equal(conf_effect_from_string(conf_effect_to_string(i)), i);
	for (int i = 0; i < ACCEL_NUM; i++)
		assert_int_equal(accel_from_string(accel_to_string(i)), i);
	for (int i = 0; i < ARCH_NUM; i++)
		assert_int_equal(arch_from_string(arch_to_string(i)), i);
	for (int i = 0; i < EGRESS_NUM; i++)
		assert_int_equal(egress_from_string(egress_to_string(i)), i);
	for (int i = 0; i < PROBE_NUM; i++)
		assert_int_equal(probe_kind_from_string(probe_kind_to_string(i)), i);
	for (int i = 0; i < EXPECT_NUM; i++)
		assert_int_equal(expect_from_string(expect_to_string(i)), i);
	assert_string_equal(accel_to_string(ACCEL_NUM), "invalid");
}

static void test_nearest(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} rows[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "abc", "", 3 },
		{ "Port", "port", 0 },
		{ "Prot", "Port", 1 },
		{ "Potr", "Port", 1 },
		{ "Memroy", "Memory", 1 },
		{ "kitten", "sitting", 3 },
		{ "ca", "abc", 3 },
	};
	static const char *const known[] = { "Port", "HostPort", "Path" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(conf_edit_distance(rows[i].a, rows[i].b), rows[i].distance);
	assert_int_equal(conf_edit_distance(S40 S40, "a"), UINT_MAX);
	assert_string_equal(conf_nearest("Pot", known, 3), "Port");
	assert_string_equal(conf_nearest("Hostport", known, 3), "HostPort");
	assert_null(conf_nearest("Xyzzy", known, 3));
	assert_null(conf_nearest("a", (const char *const[]){ "b" }, 1));
	assert_null(conf_nearest(S40 S40, known, 3));
	assert_null(conf_nearest("Port", known, 0));
}

/* Worked out with a program in another language; a guest keeps its domain only while these stand.
 */
static void test_uuid(void **state)
{
	char uuid[SPEC_UUID_TEXT];

	(void)state;
	spec_uuid("vm-mediakit", uuid);
	assert_string_equal(uuid, "f6d3265d-5b34-879c-88bf-a40cd51d4454");
	spec_uuid("a", uuid);
	assert_string_equal(uuid, "a6e78541-4d20-8bf7-8713-9dd4c6bd1c9f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_many_faults),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_guest_names),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_memory_min_default),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_second_guest),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_uuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
