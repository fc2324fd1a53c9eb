// SPDX-License-Identifier: Apache-2.0
//
// Writes COUNT lines of LENGTH bytes, the newline among them, in blocks of 64 KiB: what a busy, buffered program does.
//
// usage: lines COUNT LENGTH
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  static char buffer[64 << 10];
  char line[4096];
  if (argc != 3)
    return 2;
  long count = strtol(argv[1], NULL, 10);
  size_t length = strtoul(argv[2], NULL, 10);
  if (length < 1 || length > sizeof line)
    return 2;
  memset(line, 'x', length - 1);
  line[length - 1] = '\n';
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  for (long i = 0; i < count; i++)
    if (fwrite(line, 1, length, stdout) != length)
      return 1;
  return fflush(stdout) == 0 ? 0 : 1;
}
