// SPDX-License-Identifier: Apache-2.0
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> // renameat
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/failure.h"
#include "../common/fd.h"

#define LOG_MODE 0640
#define NEW_SUFFIX ".new"

// Offset just after the last newline before `end`.
static off_t last_record_end(int fd, off_t end) {
  char block[1024];
  while (end > 0) {
    size_t length = end < (off_t)sizeof block ? (size_t)end : sizeof block;
    ssize_t got = pread(fd, block, length, end - (off_t)length);
    if (got != (ssize_t)length)
      return -1;
    char *newline = memrchr(block, '\n', length);
    if (newline)
      return end - (off_t)length + (newline - block) + 1;
    end -= (off_t)length;
  }
  return 0;
}

static int repair(int fd, off_t size) {
  off_t whole = last_record_end(fd, size);
  if (whole < 0)
    return -1;
  return whole < size ? ftruncate(fd, whole) : 0;
}

int log_file_open(struct log_file *file) {
  cleanup_fd int fd =
      openat(file->directory, file->name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, LOG_MODE);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0)
    return -1;
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return -1;
  }
  if (repair(fd, status.st_size) < 0 || fstat(fd, &status) < 0)
    return -1;
  file->size = (uint64_t)status.st_size;
  file->fd = steal_fd(&fd);
  return 0;
}

static uint64_t count_records(const char *records, size_t length) {
  uint64_t count = 0;
  const char *end = records + length;
  for (const char *at = records; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
    count++;
  return count;
}

// Somebody else may have cut the file (logrotate's copytruncate, an administrator).
static void take_size(struct log_file *file) {
  struct stat status;
  if (file->max_size != 0 && fstat(file->fd, &status) == 0)
    file->size = (uint64_t)status.st_size;
}

// What a failed write left of a record is cut off again. Where that fails too, a
// reader skips the torn record and the next open repairs it.
static void cut_torn(const struct log_file *file, size_t torn) {
  struct stat status;
  if (torn == 0 || fstat(file->fd, &status) < 0 || status.st_size < (off_t)torn)
    return;
  int ignored = ftruncate(file->fd, status.st_size - (off_t)torn);
  (void)ignored;
}

void log_file_append(struct log_file *file, const char *records, size_t length, uint64_t count) {
  size_t done = 0;
  while (done < length) {
    ssize_t wrote = write(file->fd, records + done, length - done);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote <= 0)
      break;
    done += (size_t)wrote;
  }
  if (done < length) {
    const char *newline = memrchr(records, '\n', done);
    size_t whole = newline ? (size_t)(newline - records) + 1 : 0;
    uint64_t lost = count_records(records + whole, length - whole);
    cut_torn(file, done - whole);
    file->lost += lost;
    count -= lost;
  }
  file->written += count;
  take_size(file);
}

bool log_file_is_full(const struct log_file *file, size_t pending) {
  return file->max_size != 0 && file->size + pending >= file->max_size;
}

static const char *const suffixes[] = {"", ".gz"};

struct rotated_name {
  char text[LOG_NAME_MAX + sizeof ".4294967295.gz"];
};

static const char *rotated_name(struct rotated_name *name, const struct log_file *file, uint32_t index,
                                const char *suffix) {
  char number[DECIMAL_SIZE];
  char *end = stpcpy(stpcpy(name->text, file->name), ".");
  stpcpy(stpcpy(end, decimal(number, index)), suffix);
  return name->text;
}

static bool rename_name(const struct log_file *file, const char *from, const char *to) {
  return renameat(file->directory, from, file->directory, to) == 0 || errno == ENOENT;
}

static bool is_free(const struct log_file *file, uint32_t index) {
  struct rotated_name name;
  for (int i = 0; i < 2; i++) {
    if (faccessat(file->directory, rotated_name(&name, file, index, suffixes[i]), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      return false;
  }
  return true;
}

// Frees <name>.1 by moving each file one up, as far as there is no gap; with
// none, the oldest goes. Compressed or not, a file keeps its place.
static bool shift(const struct log_file *file) {
  struct rotated_name from, to;
  uint32_t last = 1;
  while (last < file->max_files - 1 && !is_free(file, last))
    last++;
  for (int i = 0; i < 2; i++) {
    if (unlinkat(file->directory, rotated_name(&from, file, last, suffixes[i]), 0) < 0 && errno != ENOENT)
      return false;
    for (uint32_t index = last; index > 1; index--) {
      rotated_name(&from, file, index - 1, suffixes[i]);
      if (!rename_name(file, from.text, rotated_name(&to, file, index, suffixes[i])))
        return false;
    }
  }
  return true;
}

bool log_file_rotate(struct log_file *file) {
  cleanup_fd int lock = openat(file->directory, HAKO_LOG_LOCK, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
    return false;

  // The new file is made before any name moves: a disk that is full leaves all as it was.
  char fresh[LOG_NAME_MAX + sizeof NEW_SUFFIX];
  stpcpy(stpcpy(fresh, file->name), NEW_SUFFIX);
  unlinkat(file->directory, fresh, 0);
  cleanup_fd int fd = openat(file->directory, fresh, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, LOG_MODE);
  if (fd < 0)
    return false;

  struct rotated_name first;
  rotated_name(&first, file, 1, "");
  bool keep = file->max_files > 1;
  bool moved = !keep || (shift(file) && rename_name(file, file->name, first.text));
  if (!moved || renameat(file->directory, fresh, file->directory, file->name) < 0) {
    if (moved && keep)
      rename_name(file, first.text, file->name);
    unlinkat(file->directory, fresh, 0);
    return false;
  }
  close(file->fd);
  file->fd = steal_fd(&fd);
  file->size = 0;
  file->rotated = true;
  return true;
}

void log_file_close(struct log_file *file, bool unused) {
  struct stat status;
  if (unused && fstat(file->fd, &status) == 0 && status.st_size == 0)
    unlinkat(file->directory, file->name, 0);
  close_fd(&file->fd);
}
