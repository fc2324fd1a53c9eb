// SPDX-License-Identifier: Apache-2.0
//
// Remembers under which path an inode with several names was met first.
#ifndef HAKO_LINK_TABLE_H
#define HAKO_LINK_TABLE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "bytes.h"
#include "key_set.h"

struct link_table {
  struct key_set by_inode; // → offset in `paths`
  struct bytes paths;
};

// The path it was met under before, until the next call, or NULL: it is now remembered under `path`. `*no_memory` is
// set when it can't be.
const char *link_table_meet(struct link_table *table, const struct stat *status, const char *path, bool *no_memory);

void link_table_free(struct link_table *table);

#endif
