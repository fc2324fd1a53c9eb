// SPDX-License-Identifier: Apache-2.0
#include "failure.h"

#include <string.h>

static size_t append(char *to, size_t size, size_t used, const char *piece) {
  while (*piece && used + 1 < size)
    to[used++] = *piece++;
  to[used] = 0;
  return used;
}

int failure_set(struct failure *f, const char *operation, int errnum, const char *const pieces[]) {
  append(f->operation, sizeof f->operation, 0, operation);
  f->errnum = errnum;
  size_t used = append(f->detail, sizeof f->detail, 0, "");
  for (size_t i = 0; pieces[i]; i++)
    used = append(f->detail, sizeof f->detail, used, pieces[i]);
  return -1;
}

const char *decimal(char buffer[DECIMAL_SIZE], long long value) {
  char *at = buffer + DECIMAL_SIZE - 1;
  // Negated as unsigned: -LLONG_MIN doesn't exist.
  unsigned long long rest = value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;
  *at = 0;
  do {
    *--at = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (value < 0)
    *--at = '-';
  return at;
}
