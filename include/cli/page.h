/* SPDX-License-Identifier: Apache-2.0 */
/* The status page, as it stands in units/status.html, inside the program. */
#ifndef MEDIAKIT_CLI_PAGE_H
#define MEDIAKIT_CLI_PAGE_H

extern const char page_html[]; /* a text */

/* What its Content-Security-Policy lets run: its own script and its own style, by their digests,
 * and nothing else. tests/metrics/page tells what they are when the page was changed. */
#define PAGE_SCRIPT "'sha256-erAvR4/osQI4zj6++GkjOOchb0seDstOKpEMpYxaVnU='"
#define PAGE_STYLE  "'sha256-CqGqMSHesRUvVwmuXm/EwkhpxisXaSRm9byQga+C2jk='"

#endif
