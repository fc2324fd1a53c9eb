// SPDX-License-Identifier: Apache-2.0
//
// The ring of journal.h on the disk: where the next record goes, and whether
// there is room for it.
#ifndef HAKO_JOURNAL_FILE_H
#define HAKO_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal_file {
  int fd;
  uint64_t ring, capacity;
  uint64_t written, sequence, dropped, ended;
  uint64_t acknowledged; // as last read
};

// Opens or makes it. One with records that nobody has acknowledged keeps its own
// size; one that can't be understood is put aside as <name>.corrupt. 0, or -1
// with errno.
int journal_file_open(struct journal_file *file, int directory, const char *name, uint64_t capacity);

// Whether `length` more bytes keep to `limit`, by what the reader has
// acknowledged by now.
bool journal_file_has_room(struct journal_file *file, size_t length, uint64_t limit);

// Bytes up to the ring's end, before which a record has to end.
size_t journal_file_before_wrap(const struct journal_file *file);

// Whole records, within one lap of the ring, and then the header that tells of
// them; `next` is the sequence after theirs. False: the disk refused.
bool journal_file_append(struct journal_file *file, const void *records, size_t length, uint64_t next);

void journal_file_drop(struct journal_file *file, uint64_t count, uint64_t next);

// This run writes no more.
void journal_file_end(struct journal_file *file);

#endif
