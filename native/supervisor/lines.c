// SPDX-License-Identifier: Apache-2.0
#include "lines.h"

#include <string.h>

#include "json_line.h"

static void give_line(struct lines *lines, const uint8_t *text, size_t length, bool complete, int64_t now,
                      line_fn *give, void *context) {
  int64_t time = lines->continued ? lines->continued_since : now;
  lines->continued = !complete;
  lines->continued_since = time;
  give(context, &(struct line){.text = text, .length = length, .complete = complete, .time = time});
}

// Adds to the held line up to its newline or its limit; returns the bytes taken.
static size_t feed_held(struct lines *lines, const uint8_t *bytes, size_t length, int64_t now, line_fn *give,
                        void *context) {
  size_t room = LINE_MAX_BYTES - lines->held_length;
  size_t reach = length < room ? length : room;
  const uint8_t *newline = memchr(bytes, '\n', reach);
  size_t taken = newline ? (size_t)(newline - bytes) : reach;
  memcpy(lines->held + lines->held_length, bytes, taken);
  lines->held_length += taken;
  if (newline) {
    give_line(lines, lines->held, lines->held_length, true, now, give, context);
    lines->held_length = 0;
    return taken + 1;
  }
  if (lines->held_length == LINE_MAX_BYTES) {
    size_t whole = utf8_whole(lines->held, LINE_MAX_BYTES);
    give_line(lines, lines->held, whole, false, now, give, context);
    lines->held_length -= whole;
    memmove(lines->held, lines->held + whole, lines->held_length);
  }
  return taken;
}

void lines_feed(struct lines *lines, const uint8_t *bytes, size_t length, int64_t now, line_fn *give, void *context) {
  while (length > 0) {
    size_t taken;
    const uint8_t *newline;
    size_t reach = length < LINE_MAX_BYTES ? length : LINE_MAX_BYTES;
    if (lines->held_length > 0) {
      taken = feed_held(lines, bytes, length, now, give, context);
    } else if ((newline = memchr(bytes, '\n', reach)) != NULL) {
      taken = (size_t)(newline - bytes);
      give_line(lines, bytes, taken, true, now, give, context);
      taken++;
    } else if (reach == LINE_MAX_BYTES) {
      taken = utf8_whole(bytes, reach);
      give_line(lines, bytes, taken, false, now, give, context);
    } else {
      taken = length;
      memcpy(lines->held, bytes, taken);
      lines->held_length = taken;
    }
    bytes += taken;
    length -= taken;
  }
}

void lines_end(struct lines *lines, int64_t now, line_fn *give, void *context) {
  if (lines->held_length > 0)
    give_line(lines, lines->held, lines->held_length, false, now, give, context);
  lines->held_length = 0;
  lines->continued = false;
}
