// SPDX-License-Identifier: Apache-2.0
//
// Reads /etc/passwd and /etc/group of an image that may be anything: a FIFO, a
// device, a terabyte without a newline. The file is streamed field by field, and
// neither its size nor that of a line costs memory.
#ifndef HAKO_ACCOUNT_FILE_H
#define HAKO_ACCOUNT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/failure.h"

#define ACCOUNT_FILE_MOST (16u << 20) // bytes; a larger file is a failure
#define ACCOUNT_FIELD_SIZE 4096u      // a longer field is never equal to anything

struct account_file {
  int fd;
  const char *path;
  struct failure *failure;
  bool failed;
  uint32_t total;
  uint32_t at;
  uint32_t filled;
  uint8_t buffer[4096];
  char field[ACCOUNT_FIELD_SIZE]; // the field that was read last
  bool overlong;                  // it was cut
  char separator;                 // what ended it: ':', ',' (where asked for), '\n', or 0 at the end of the file
};

// Gives 0, 1 when there is no such file, or -1 when it isn't an ordinary file or too large.
int account_file_open(struct account_file *file, int root, const char *path, struct failure *failure);
void account_file_close(struct account_file *file);

// The next field of this line; false when the line, or the file, is at its end
// (or failed). `lists`: a comma ends a field as well.
bool account_file_field(struct account_file *file, bool lists);

// Skips what is left of the line; false at the end of the file.
bool account_file_next_line(struct account_file *file);

// A decimal number without sign, blank or leading zero, up to 2^31 - 1.
bool parse_id(const char *text, uint32_t *id);

#endif
