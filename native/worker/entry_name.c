// SPDX-License-Identifier: Apache-2.0
#include "entry_name.h"

#include <limits.h>
#include <string.h>

const char *entry_name_clean(const char *raw, struct bytes *clean, uint32_t *depth) {
  if (*raw == 0)
    return "an empty name";
  clean->length = 0;
  *depth = 0;
  if (!bytes_reserve(clean, strlen(raw) + 1))
    return "no memory for a name";
  char *to = (char *)clean->data;
  size_t used = 0;
  for (const char *at = raw; *at;) {
    size_t length = strcspn(at, "/");
    if (length == 2 && at[0] == '.' && at[1] == '.') {
      if (*depth == 0)
        return "a name that leads out of the tree by \"..\"";
      --*depth;
      while (used > 0 && to[--used] != '/')
        continue;
    } else if (length > NAME_MAX) {
      return "a name with a component of over 255 bytes";
    } else if (length > 0 && !(length == 1 && at[0] == '.')) {
      if (used > 0)
        to[used++] = '/';
      memcpy(to + used, at, length);
      used += length;
      ++*depth;
    }
    at += length;
    at += *at == '/';
  }
  if (used >= PATH_MAX)
    return "a name of over 4,095 bytes";
  to[used] = 0;
  clean->length = used;
  return NULL;
}

const char *entry_name_base(const struct bytes *clean, size_t *parent_length) {
  const char *text = (const char *)clean->data;
  const char *slash = memrchr(text, '/', clean->length);
  *parent_length = slash ? (size_t)(slash - text) : 0;
  return slash ? slash + 1 : text;
}

const char *entry_name_below(struct bytes *clean, const char *directory) {
  size_t length = strlen(directory);
  size_t more = length + (clean->length > 0 ? 1 : 0);
  if (clean->length + more >= PATH_MAX)
    return "a name of over 4,095 bytes";
  if (!bytes_reserve(clean, more + 1))
    return "no memory for a name";
  memmove(clean->data + more, clean->data, clean->length + 1);
  memcpy(clean->data, directory, length);
  if (clean->length > 0)
    clean->data[length] = '/';
  clean->length += more;
  return NULL;
}
