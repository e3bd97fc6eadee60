/* SPDX-License-Identifier: Apache-2.0 */
/* What services that do what they should not say, and what the prober is to make of it. */
#ifndef MEDIAKIT_TESTS_HTTP_ROWS_H
#define MEDIAKIT_TESTS_HTTP_ROWS_H

#include "model/answer.h"

#define OK      "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define CBOR    OK "Content-Type: application/cbor\r\nContent-Length: 2\r\n"
#define X16     "xxxxxxxxxxxxxxxx"
#define X64     X16 X16 X16 X16
#define X1024   X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64
#define FOREVER (-1)

/* How a service ends the connection; those after HOLDS do not wait for the question. */
enum manner { CLOSES, RESETS, HOLDS, REFUSES, CLOSES_AT_ONCE, RESETS_AT_ONCE, HOLDS_UNASKED };

static const struct row {
	const char *name;
	const char *head;  /* sent first, */
	const char *again; /* then this, */
	int times;         /* so often, */
	int pause_ms;      /* this far apart, */
	enum manner end;   /* and then this */
	enum answer_protocol protocol;
	enum answer_kind kind;
	int status;
	bool cbor;
	size_t body_len;
} rows[] = {
	/* What a service should say. */
	{ .name = "cbor", .head = CBOR "\r\n\xa0\x01", .end = CLOSES, .status = 200, .cbor = true,
		.body_len = 2 },
	{ .name = "held open after a whole answer", .head = CBOR "\r\nab", .end = HOLDS,
		.status = 200, .cbor = true, .body_len = 2 },
	{ .name = "chunked", .head = CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", .end = HOLDS,
		.status = 200, .body_len = 5 },
	{ .name = "until close", .head = OK "\r\nhello", .end = CLOSES, .status = 200,
		.body_len = 5 },
	{ .name = "HTTP/1.0", .head = "HTTP/1.0 503 no\r\n\r\n", .end = CLOSES, .status = 503 },
	{ .name = "204", .head = "HTTP/1.1 204 none\r\n\r\n", .end = HOLDS, .status = 204 },
	{ .name = "interim, then final",
		.head = "HTTP/1.1 103 hint\r\nContent-Type: application/cbor\r\n\r\n"
			OK "Content-Length: 1\r\n\r\nx",
		.end = HOLDS, .status = 200, .body_len = 1 },
	{ .name = "trailer",
		.head = CHUNKED "1\r\nx\r\n0\r\nContent-Type: application/cbor\r\n\r\n",
		.end = HOLDS, .status = 200, .body_len = 1 },
	{ .name = "1-byte chunks to the limit", .head = CHUNKED, .again = "1\r\nx\r\n",
		.times = 4096, .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "4096 bytes", .head = OK "Content-Length: 4096\r\n\r\n", .again = X64,
		.times = 64, .end = HOLDS, .status = 200, .body_len = 4096 },
	{ .name = "4096 bytes until close", .head = OK "\r\n", .again = X64, .times = 64,
		.end = CLOSES, .status = 200, .body_len = 4096 },
	/* Over a limit. */
	{ .name = "4097 bytes", .head = OK "Content-Length: 4097\r\n\r\ny", .again = X64,
		.times = 64, .end = HOLDS, .kind = ANSWER_TOO_LARGE, .status = 200,
		.body_len = 4096 },
	{ .name = "4097 bytes until close", .head = OK "\r\ny", .again = X64, .times = 64,
		.end = CLOSES, .kind = ANSWER_TOO_LARGE, .status = 200, .body_len = 4096 },
	{ .name = "a large report", .head = CBOR "Content-Length: 5000\r\n\r\n",
		.again = X64, .times = 70, .end = HOLDS, .kind = ANSWER_TOO_LARGE, .status = 200,
		.cbor = true, .body_len = 4096 },
	{ .name = "a large page at once", .head = OK "Content-Length: 6144\r\n\r\n" X1024 X1024
		X1024 X1024 X1024 X1024, .end = HOLDS, .kind = ANSWER_TOO_LARGE, .status = 200,
		.body_len = 4096 },
	{ .name = "a large body of another protocol", .head = "ICY 200 OK\r\n\r\n", .again = X1024,
		.times = 5, .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "endless body", .head = OK "\r\n", .again = X1024, .times = FOREVER,
		.kind = ANSWER_TOO_LARGE, .status = 200, .body_len = 4096 },
	{ .name = "endless chunks", .head = CHUNKED, .again = "40\r\n" X64 "\r\n", .times = FOREVER,
		.kind = ANSWER_TOO_LARGE, .status = 200, .body_len = 4096 },
	{ .name = "endless headers", .head = OK, .again = "X: " X64 "\r\n", .times = FOREVER,
		.kind = ANSWER_TOO_LARGE },
	{ .name = "endless header", .head = OK "X: ", .again = X1024, .times = FOREVER,
		.kind = ANSWER_TOO_LARGE },
	{ .name = "endless folding", .head = OK "X: y\r\n", .again = " " X64 "\r\n",
		.times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless interim", .head = "", .again = "HTTP/1.1 100 go on\r\n\r\n",
		.times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless hints", .head = "", .again = "HTTP/1.1 103 hint\r\nX: y\r\n\r\n",
		.times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless trailers", .head = CHUNKED "0\r\n", .again = "X: " X64 "\r\n",
		.times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless chunk extension", .head = CHUNKED "1;", .again = X1024, .times = FOREVER,
		.kind = ANSWER_TOO_LARGE },
	/* Too slow. */
	{ .name = "huge length", .head = OK "Content-Length: 9223372036854775807\r\n\r\nx",
		.end = HOLDS, .kind = ANSWER_TIMEOUT },
	{ .name = "silence", .end = HOLDS, .kind = ANSWER_TIMEOUT },
	{ .name = "a byte now and then", .head = OK "Content-Length: 99\r\n\r\n", .again = "x",
		.times = FOREVER, .pause_ms = 50, .kind = ANSWER_TIMEOUT },
	{ .name = "a header byte now and then", .head = "H", .again = "T", .times = FOREVER,
		.pause_ms = 1000, .kind = ANSWER_TIMEOUT },
	{ .name = "length lies long", .head = OK "Content-Length: 9\r\n\r\nfour", .end = HOLDS,
		.kind = ANSWER_TIMEOUT },
	/* Nobody there. */
	{ .name = "refused", .end = REFUSES, .kind = ANSWER_UNREACHABLE },
	{ .name = "closed at once", .end = CLOSES_AT_ONCE, .kind = ANSWER_CLOSED },
	{ .name = "reset at once", .end = RESETS_AT_ONCE, .kind = ANSWER_CLOSED },
	{ .name = "closed when asked", .end = CLOSES, .kind = ANSWER_CLOSED },
	{ .name = "reset when asked", .end = RESETS, .kind = ANSWER_CLOSED },
	/* No HTTP, or not all of it. */
	{ .name = "HTTP/0.9", .head = "<html>hello</html>", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "SSH", .head = "SSH-2.0-OpenSSH_9.2\r\n", .end = HOLDS, .kind = ANSWER_NOT_HTTP },
	{ .name = "status without number", .head = "HTTP/1.1 abc\r\n\r\n", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "status 99999", .head = "HTTP/1.1 99999 no\r\n\r\n", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "status 999", .head = "HTTP/1.1 999 no\r\n\r\n", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "status 000", .head = "HTTP/1.1 000 no\r\n\r\n", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "HTTP/2", .head = "HTTP/2 200\r\n\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "HTTP/3.7", .head = "HTTP/3.7 200 OK\r\n\r\n", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "shoutcast", .head = "ICY 200 OK\r\n\r\n", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "half a status line", .head = "HTTP/1.", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "half the headers", .head = OK "Content-Le", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "no empty line", .head = OK "A: b\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "interim, then closed", .head = "HTTP/1.1 100 go on\r\n\r\n", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "half a body, closed", .head = OK "Content-Length: 9\r\n\r\nfour", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "half a body, reset", .head = OK "Content-Length: 9\r\n\r\nfour", .end = RESETS,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "half the chunks", .head = CHUNKED "9\r\nfour", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "no chunk length", .head = CHUNKED "zz\r\n", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	{ .name = "negative length", .head = OK "Content-Length: -5\r\n\r\nx", .end = CLOSES,
		.kind = ANSWER_NOT_HTTP },
	/* Odd, and whole. */
	{ .name = "length lies short", .head = OK "Content-Length: 2\r\n\r\nabcdef", .end = CLOSES,
		.status = 200, .body_len = 2 },
	{ .name = "redirect to a file",
		.head = "HTTP/1.1 302 go\r\nLocation: file:///etc/passwd\r\n"
			"Content-Length: 0\r\n\r\n",
		.end = HOLDS, .status = 302 },
	{ .name = "gzip stays gzip",
		.head = OK "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01",
		.end = HOLDS, .status = 200, .body_len = 4 },
	{ .name = "cookies and HSTS",
		.head = CBOR "Set-Cookie: a=b\r\nStrict-Transport-Security: max-age=9\r\n\r\nab",
		.end = HOLDS, .status = 200, .cbor = true, .body_len = 2 },
	{ .name = "two types that differ", .head = CBOR "Content-Type: text/html\r\n\r\nab",
		.end = HOLDS, .status = 200, .body_len = 2 },
	{ .name = "two types alike", .head = CBOR "content-type:application/cbor\r\n\r\nab",
		.end = HOLDS, .status = 200, .cbor = true, .body_len = 2 },
	{ .name = "parameters and capitals",
		.head = OK "CONTENT-TYPE: \tApplication/CBOR ; a=b\r\nContent-Length: 0\r\n\r\n",
		.end = HOLDS, .status = 200, .cbor = true },
	{ .name = "nearly the type",
		.head = OK "Content-Type: application/cbor-seq\r\nContent-Length: 0\r\n\r\n",
		.end = HOLDS, .status = 200 },
	{ .name = "the type in another header",
		.head = OK "X: a\rContent-Type: application/cbor\r\nContent-Length: 0\r\n\r\n",
		.end = HOLDS, .status = 200 },
	/* TCP. */
	{ .name = "tcp greeting", .protocol = ANSWER_TCP, .head = "220 hello\r\n",
		.end = HOLDS_UNASKED },
	{ .name = "tcp silent", .protocol = ANSWER_TCP, .end = HOLDS_UNASKED },
	{ .name = "tcp refused", .protocol = ANSWER_TCP, .end = REFUSES,
		.kind = ANSWER_UNREACHABLE },
	{ .name = "tcp closed", .protocol = ANSWER_TCP, .end = CLOSES_AT_ONCE,
		.kind = ANSWER_CLOSED },
	{ .name = "tcp reset", .protocol = ANSWER_TCP, .end = RESETS_AT_ONCE,
		.kind = ANSWER_CLOSED },
	{ .name = "tcp flood", .protocol = ANSWER_TCP, .head = "", .again = X1024, .times = FOREVER,
		.end = HOLDS_UNASKED },
};

#endif
