// SPDX-License-Identifier: Apache-2.0
//
// The text of a JSON string, byte for byte as Docker's json-file driver writes
// it (moby: daemon/logger/jsonfilelog/jsonlog): short escapes only for " \ \n \r,
// \u00xx for the other control characters and < > &, \u2028 and \u2029, and
// \ufffd for each byte that is not part of valid UTF-8.
#ifndef HAKO_JSON_LINE_H
#define HAKO_JSON_LINE_H

#include <stddef.h>
#include <stdint.h>

#define JSON_ESCAPE_MAX 6   // bytes that one byte may become
#define JSON_ESCAPE_SLACK 8 // bytes past the end that may be scribbled on

// `out` has room for length * JSON_ESCAPE_MAX + JSON_ESCAPE_SLACK. Returns the
// end of what was written.
char *json_escape(char *out, const uint8_t *text, size_t length);

// How many of the bytes to keep so that a cut does not fall inside a code point:
// `length`, or up to 3 less when the end is the beginning of a valid sequence.
size_t utf8_whole(const uint8_t *text, size_t length);

#endif
