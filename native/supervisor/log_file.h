// SPDX-License-Identifier: Apache-2.0
//
// A file of whole records, one a line, appended to and rotated by size:
// <name>, <name>.1 (the newest rotated), … <name>.<max_files - 1>.
//
// Who compresses rotated files (<name>.k becomes <name>.k.gz) holds
// flock(LOCK_EX) on HAKO_LOG_LOCK in the same directory meanwhile. Rotation is
// put off while that lock is held: no writer ever waits for a compressor, and no
// name moves under its hands. The file may pass its limit until then.
#ifndef HAKO_LOG_FILE_H
#define HAKO_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HAKO_LOG_LOCK "log.lock"
#define LOG_NAME_MAX 200 // leaves room for the suffixes within NAME_MAX

struct log_file {
  int directory; // borrowed
  int fd;
  char name[LOG_NAME_MAX + 1];
  uint64_t max_size; // bytes, 0: no limit
  uint32_t max_files;
  uint64_t size;
  uint64_t written, lost; // records
  bool rotated;           // since the flag was last cleared
};

// Opens or makes the file (0640). A torn last line, left by a crash or a full
// disk, is cut off. Returns 0 or -1 with errno; the fields up to max_files are
// set by the caller.
int log_file_open(struct log_file *file);

// Appends `count` whole records. When the disk is full (or any other error), the file is
// cut back to its last whole record and the others are counted as lost.
void log_file_append(struct log_file *file, const char *records, size_t length, uint64_t count);

// The limit is reached: the next record belongs into a new file.
bool log_file_is_full(const struct log_file *file, size_t pending);

// False: put off (a compressor is at work, or the disk refused); go on appending.
bool log_file_rotate(struct log_file *file);

// `unused`: a file that is still empty is removed.
void log_file_close(struct log_file *file, bool unused);

#endif
