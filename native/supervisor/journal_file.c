// SPDX-License-Identifier: Apache-2.0
#include "journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> // renameat
#include <string.h>
#include <unistd.h>

#include "../common/fd.h"
#include "journal.h"

struct geometry {
  char magic[8];
  uint32_t version, zero;
  uint64_t ring, capacity;
};

struct writer_state {
  uint64_t written, sequence, dropped, ended;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs above are the file's bytes");

static bool read_whole(int fd, void *into, size_t length, off_t at) {
  return pread(fd, into, length, at) == (ssize_t)length;
}

static bool write_whole(int fd, const void *from, size_t length, off_t at) {
  return pwrite(fd, from, length, at) == (ssize_t)length;
}

static bool publish(const struct journal_file *file) {
  struct writer_state state = {
      .written = file->written, .sequence = file->sequence, .dropped = file->dropped, .ended = file->ended};
  return write_whole(file->fd, &state, sizeof state, JOURNAL_WRITER_AT);
}

enum found { FOUND_NOTHING, FOUND_SOUND, FOUND_CORRUPT };

static enum found read_header(struct journal_file *file) {
  struct geometry geometry;
  struct writer_state state;
  off_t size = lseek(file->fd, 0, SEEK_END);
  if (size == 0)
    return FOUND_NOTHING;
  if (!read_whole(file->fd, &geometry, sizeof geometry, 0) ||
      !read_whole(file->fd, &state, sizeof state, JOURNAL_WRITER_AT) ||
      !read_whole(file->fd, &file->acknowledged, 8, JOURNAL_READER_AT))
    return FOUND_CORRUPT;
  file->ring = geometry.ring;
  file->capacity = geometry.capacity;
  file->written = state.written;
  file->sequence = state.sequence;
  file->dropped = state.dropped;
  bool sound = memcmp(geometry.magic, JOURNAL_MAGIC, 8) == 0 && geometry.version == JOURNAL_VERSION &&
               geometry.capacity >= JOURNAL_MIN_CAPACITY && geometry.ring % JOURNAL_RECORD == 0 &&
               state.written % JOURNAL_RECORD == 0 && geometry.ring == geometry.capacity + JOURNAL_RESERVE &&
               (uint64_t)size == JOURNAL_HEADER + geometry.ring && file->acknowledged <= state.written &&
               state.written - file->acknowledged <= geometry.ring;
  return sound ? FOUND_SOUND : FOUND_CORRUPT;
}

// The disk space is set aside at once, so that a full disk is the start's failure and no loss later.
static int make(struct journal_file *file, uint64_t capacity) {
  file->capacity = capacity;
  file->ring = capacity + JOURNAL_RESERVE;
  file->written = file->sequence = file->dropped = file->acknowledged = 0;
  struct geometry geometry = {.version = JOURNAL_VERSION, .ring = file->ring, .capacity = capacity};
  memcpy(geometry.magic, JOURNAL_MAGIC, 8);
  off_t size = (off_t)(JOURNAL_HEADER + file->ring);
  if (ftruncate(file->fd, 0) < 0)
    return -1;
  if (fallocate(file->fd, 0, 0, size) < 0 && (errno != EOPNOTSUPP || ftruncate(file->fd, size) < 0))
    return -1;
  return write_whole(file->fd, &geometry, sizeof geometry, 0) ? 0 : -1;
}

static int open_file(int directory, const char *name) {
  return openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640);
}

static int put_aside(struct journal_file *file, int directory, const char *name) {
  char aside[256];
  stpcpy(stpcpy(aside, name), ".corrupt");
  if (renameat(directory, name, directory, aside) < 0)
    return -1;
  close_fd(&file->fd);
  file->fd = open_file(directory, name);
  return file->fd < 0 ? -1 : 0;
}

static int prepare(struct journal_file *file, int directory, const char *name, uint64_t capacity) {
  enum found found = read_header(file);
  if (found == FOUND_SOUND && (file->capacity == capacity || file->acknowledged < file->written))
    return 0;
  if (found == FOUND_CORRUPT && put_aside(file, directory, name) < 0)
    return -1;
  return make(file, capacity);
}

int journal_file_open(struct journal_file *file, int directory, const char *name, uint64_t capacity) {
  *file = (struct journal_file){.fd = open_file(directory, name)};
  if (file->fd >= 0 && prepare(file, directory, name, capacity) == 0 && publish(file))
    return 0;
  close_fd(&file->fd);
  return -1;
}

bool journal_file_has_room(struct journal_file *file, size_t length, uint64_t limit) {
  if (file->written + length - file->acknowledged <= limit)
    return true;
  uint64_t acknowledged;
  // What the reader says is believed as far as it can be true.
  if (read_whole(file->fd, &acknowledged, 8, JOURNAL_READER_AT) && acknowledged <= file->written &&
      acknowledged >= file->acknowledged)
    file->acknowledged = acknowledged;
  return file->written + length - file->acknowledged <= limit;
}

size_t journal_file_before_wrap(const struct journal_file *file) {
  return file->ring - file->written % file->ring;
}

bool journal_file_append(struct journal_file *file, const void *records, size_t length, uint64_t next) {
  file->sequence = next;
  if (!write_whole(file->fd, records, length, (off_t)(JOURNAL_HEADER + file->written % file->ring)))
    return false;
  file->written += length;
  return publish(file);
}

void journal_file_drop(struct journal_file *file, uint64_t count, uint64_t next) {
  file->dropped += count;
  file->sequence = next;
  publish(file);
}

void journal_file_end(struct journal_file *file) {
  file->ended = 1;
  publish(file);
}
