/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the meter of D-Bus bytes: it never lets through what is larger than it
 * says, and how a stream is cut changes nothing. */
/* LINK: model/dbusmeter */
#include "model/dbusmeter.h"
#include "replay.h"

#include <errno.h>
#include <string.h>

struct outcome {
	int error;
	size_t passed, units, last_end;
};

/* Pieces of 1 to `most` bytes, their lengths taken from the stream itself. */
static struct outcome run(const uint8_t *data, size_t size, size_t most)
{
	struct dbusmeter m = { 0 };
	struct outcome o = { 0 };

	while (o.passed < size) {
		size_t n = 1 + data[o.passed] % most, used = SIZE_MAX;

		n = n < size - o.passed ? n : size - o.passed;
		bool begun = m.begun;
		int r = dbusmeter_take(&m, data + o.passed, n, &used);
		if (r < 0) {
			require(r == -EMSGSIZE || r == -EBADMSG, "there are two faults");
			require(used == SIZE_MAX, "a fault uses nothing");
			o.error = r;
			break;
		}
		require(used > 0 && used <= n && (r == 1 || used == n), "it goes on");
		o.passed += used;
		if (r == 1) {
			size_t length = o.passed - o.last_end;

			require(length <= (begun ? DBUSMETER_MESSAGE_MAX : DBUSMETER_HANDSHAKE_MAX),
				"no unit is too large");
			require(!begun || length >= DBUSMETER_HEADER, "nor has it no header");
			require(begun || memcmp(data + o.passed - 7, "BEGIN\r\n", 7) == 0,
				"a handshake ends so");
			require(m.begun && !dbusmeter_inside(&m), "then comes another");
			o.last_end = o.passed;
			o.units++;
		}
	}
	require(o.passed - o.last_end <= DBUSMETER_MESSAGE_MAX, "nor half a one");
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = run(data, size, SIZE_MAX / 2), bytes = run(data, size, 1),
		       some = run(data, size, 37);

	require(whole.error == bytes.error && whole.error == some.error, "the same fault");
	require(whole.units == bytes.units && whole.units == some.units, "the same units");
	require(whole.last_end == bytes.last_end && whole.last_end == some.last_end,
		"the same ends");
	return 0;
}
