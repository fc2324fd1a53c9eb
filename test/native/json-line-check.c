// SPDX-License-Identifier: Apache-2.0
//
// Lets a test call native/supervisor/json_line.c and lines.c. Standard input is a
// sequence of u32 length · bytes (little-endian), standard output too.
//   escape: one string in, its JSON text out
//   lines:  chunks of one stream in; for each record u8 complete · text out
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_line.h"
#include "lines.h"

static void put(const void *bytes, uint32_t length) {
  fwrite(&length, sizeof length, 1, stdout);
  fwrite(bytes, 1, length, stdout);
}

static void put_line(void *context, const struct line *line) {
  (void)context;
  uint32_t length = (uint32_t)line->length + 1;
  uint8_t complete = line->complete;
  fwrite(&length, sizeof length, 1, stdout);
  fwrite(&complete, 1, 1, stdout);
  fwrite(line->text, 1, line->length, stdout);
}

int main(int argc, char **argv) {
  (void)argc;
  int escape = strcmp(argv[1], "escape") == 0;
  struct lines lines = {.held = malloc(LINE_MAX_BYTES)};
  uint32_t length;
  while (fread(&length, sizeof length, 1, stdin) == 1) {
    // Of the exact size, so that a byte read or written outside is seen.
    uint8_t *bytes = malloc(length);
    if (fread(bytes, 1, length, stdin) != length)
      return 1;
    if (escape) {
      char *out = malloc((size_t)length * JSON_ESCAPE_MAX + JSON_ESCAPE_SLACK);
      put(out, (uint32_t)(json_escape(out, bytes, length) - out));
      free(out);
    } else {
      lines_feed(&lines, bytes, length, 1, put_line, NULL);
    }
    free(bytes);
  }
  lines_end(&lines, 1, put_line, NULL);
  free(lines.held);
  return 0;
}
