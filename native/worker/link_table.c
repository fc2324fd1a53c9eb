// SPDX-License-Identifier: Apache-2.0
#include "link_table.h"

#include <string.h>

const char *link_table_meet(struct link_table *table, const struct stat *status, const char *path, bool *no_memory) {
  bool known;
  *no_memory = false;
  if (S_ISDIR(status->st_mode) || status->st_nlink < 2)
    return NULL;
  uint64_t key = key_of(status->st_dev, status->st_ino, NULL);
  uint64_t *offset = key_set_put(&table->by_inode, key, table->paths.length, &known);
  if (offset && known)
    return bytes_text(&table->paths) + *offset;
  *no_memory = !offset || !bytes_append(&table->paths, path, strlen(path) + 1);
  return NULL;
}

void link_table_free(struct link_table *table) {
  key_set_free(&table->by_inode);
  bytes_free(&table->paths);
}
