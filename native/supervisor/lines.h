// SPDX-License-Identifier: Apache-2.0
//
// Cuts one output stream into the records that a log keeps: lines, and pieces of
// lines longer than 16 KiB, as Docker's copier does. A piece is not cut inside a
// code point where that can be avoided.
#ifndef HAKO_LINES_H
#define HAKO_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MAX_BYTES 16384

struct line {
  const uint8_t *text; // without the newline
  size_t length;
  bool complete; // a newline followed
  int64_t time;  // of the first piece, for every piece of one line
};

struct lines {
  uint8_t *held; // LINE_MAX_BYTES for a line that has no end yet
  size_t held_length;
  bool continued; // a piece of the present line was given already
  int64_t continued_since;
};

typedef void line_fn(void *context, const struct line *line);

void lines_feed(struct lines *lines, const uint8_t *bytes, size_t length, int64_t now, line_fn *give, void *context);

// The stream has ended: what is held is a piece without an end.
void lines_end(struct lines *lines, int64_t now, line_fn *give, void *context);

#endif
