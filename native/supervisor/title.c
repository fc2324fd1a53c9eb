// SPDX-License-Identifier: Apache-2.0
#include "title.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

static char *room;
static size_t room_size;

static char *end_of(char **strings, char *end) {
  for (; *strings; strings++) {
    if (*strings == end)
      end = *strings + strlen(*strings) + 1;
  }
  return end;
}

void title_init(char **argv) {
  room = argv[0];
  room_size = (size_t)(end_of(environ, end_of(argv, room)) - room);
}

void title_set(const char *title) {
  static const char prefix[] = "hako: ";
  size_t length = strlen(title);
  if (room_size < sizeof prefix)
    return;
  if (length > room_size - sizeof prefix)
    length = room_size - sizeof prefix;
  memset(room, 0, room_size);
  memcpy(room, prefix, sizeof prefix - 1);
  memcpy(room + sizeof prefix - 1, title, length);
}
