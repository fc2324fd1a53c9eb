// SPDX-License-Identifier: Apache-2.0
//
// What an archive may ask for at most. Passing one is a failure of its own
// ("limit"), since the archive may be sound and the caller may raise it.
#ifndef HAKO_TAR_LIMITS_H
#define HAKO_TAR_LIMITS_H

#include <stdint.h>

#include "../common/failure.h"

struct tar_limits {
  uint64_t archive_bytes; // of the stream, padding after its end too
  uint64_t entries;
  uint64_t file_bytes;   // apparent size of one file, holes included
  uint32_t path_depth;   // components of one name
  uint32_t header_bytes; // of one extended header (PAX records, GNU long name)
  uint32_t xattr_bytes;  // names and values of one entry
};

// The archive is not a sound one.
#define TAR_MALFORMED "archive"
#define TAR_OVER_LIMIT "limit"

// Sets a failure that says at which byte of the archive. Always -1.
static inline int tar_complain(struct failure *f, const char *operation, uint64_t offset, const char *what) {
  char text[DECIMAL_SIZE];
  return fail(f, operation, 0, what, ", in the entry at byte ", decimal(text, (long long)offset));
}

#endif
