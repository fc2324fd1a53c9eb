// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crc32.h"
#include "journal.h"
#include "journal_file.h"
#include "lines.h"
#include "log_file.h"
#include "rfc3339.h"
#include "sink_ops.h"

#define MOST_RECORD (JOURNAL_RECORD + LINE_MAX_BYTES)
#define BATCH (64u << 10) // records are gathered to about this much for one write(2)

struct record_head {
  uint32_t length;
  uint8_t stream, complete;
  uint16_t zero;
  uint64_t sequence;
  int64_t time;
  uint32_t ordinal;
  uint32_t crc;
};

_Static_assert(sizeof(struct record_head) == JOURNAL_RECORD, "the struct is the file's bytes");

// Records that a blocking journal has no room for yet.
struct held {
  uint8_t *bytes; // NULL while there are none
  size_t start, end, size;
  uint64_t count;
};

struct journal {
  struct sink sink;
  size_t mapped; // bytes of the one mapping that all of this lives in
  struct journal_file file;
  bool blocking;
  uint64_t limit; // of what is not acknowledged
  struct lines streams[2];
  uint32_t pieces[2]; // of the present line that were given
  int stream;         // whose lines are being given
  uint64_t next;      // sequence
  uint8_t *record;
  uint8_t *batch;
  size_t batch_length;
  uint64_t batch_count, batch_next;
  struct held held;
  uint64_t dropping; // of the present chunk: once one finds no room, the others are dropped too
  uint64_t written, lost;
};

static size_t record_size(uint32_t length) {
  return (JOURNAL_RECORD + length + JOURNAL_RECORD - 1) / JOURNAL_RECORD * JOURNAL_RECORD;
}

static void flush(struct journal *journal) {
  if (journal->batch_length == 0)
    return;
  bool kept = journal_file_append(&journal->file, journal->batch, journal->batch_length, journal->batch_next);
  *(kept ? &journal->written : &journal->lost) += journal->batch_count;
  journal->batch_length = 0;
  journal->batch_count = 0;
}

static void put_record(uint8_t *out, struct record_head head, const uint8_t *text) {
  uint32_t crc = crc32_of(0, &head, offsetof(struct record_head, crc));
  head.crc = crc32_of(crc, text, head.length);
  memcpy(out, &head, JOURNAL_RECORD);
  if (head.length > 0)
    memcpy(out + JOURNAL_RECORD, text, head.length);
  size_t end = JOURNAL_RECORD + head.length;
  memset(out + end, 0, record_size(head.length) - end);
}

static void skip_to_wrap(struct journal *journal, size_t gap) {
  uint8_t *mark = journal->batch + journal->batch_length;
  memset(mark, 0, gap);
  put_record(mark, (struct record_head){.sequence = journal->batch_next}, NULL);
  journal->batch_length += gap;
  flush(journal);
}

// False: there is no room for it.
static bool place(struct journal *journal, const uint8_t *record) {
  struct record_head head;
  memcpy(&head, record, sizeof head);
  size_t size = record_size(head.length);
  if (journal->batch_length >= BATCH)
    flush(journal);
  size_t gap = journal_file_before_wrap(&journal->file) - journal->batch_length;
  size_t skipped = size > gap ? gap : 0;
  if (!journal_file_has_room(&journal->file, journal->batch_length + skipped + size, journal->limit))
    return false;
  if (skipped > 0)
    skip_to_wrap(journal, gap);
  memcpy(journal->batch + journal->batch_length, record, size);
  journal->batch_length += size;
  journal->batch_count++;
  journal->batch_next = head.sequence + 1;
  // A batch is one piece of the ring.
  if (size == gap)
    flush(journal);
  return true;
}

static bool hold(struct held *held, const uint8_t *record, size_t size) {
  if (held->size - held->end < size) {
    size_t larger = held->size * 2 + BATCH;
    uint8_t *bytes = realloc(held->bytes, larger);
    if (!bytes)
      return false;
    held->bytes = bytes;
    held->size = larger;
  }
  memcpy(held->bytes + held->end, record, size);
  held->end += size;
  held->count++;
  return true;
}

static void release_held(struct journal *journal) {
  struct held *held = &journal->held;
  while (held->start < held->end && place(journal, held->bytes + held->start)) {
    uint32_t length;
    memcpy(&length, held->bytes + held->start, sizeof length);
    held->start += record_size(length);
    held->count--;
  }
  flush(journal);
  if (held->start < held->end)
    return;
  free(held->bytes);
  *held = (struct held){0};
}

static void drop(struct journal *journal, uint64_t count) {
  if (count == 0)
    return;
  journal->lost += count;
  journal_file_drop(&journal->file, count, journal->next);
}

static void add_record(void *context, const struct line *line) {
  struct journal *journal = context;
  uint32_t *pieces = &journal->pieces[journal->stream - 1];
  if (!line->complete || *pieces > 0)
    ++*pieces;
  struct record_head head = {
      .length = (uint32_t)line->length,
      .stream = (uint8_t)journal->stream,
      .complete = line->complete,
      .sequence = journal->next++,
      .time = line->time,
      .ordinal = *pieces,
  };
  if (line->complete)
    *pieces = 0;
  put_record(journal->record, head, line->text);
  bool waits = journal->held.bytes || journal->dropping > 0;
  if (!waits && place(journal, journal->record))
    return;
  if (!journal->blocking || !hold(&journal->held, journal->record, record_size(head.length)))
    journal->dropping++;
}

static void end_chunk(struct journal *journal) {
  flush(journal);
  drop(journal, journal->dropping);
  journal->dropping = 0;
}

static void journal_write(struct sink *sink, int stream, const uint8_t *bytes, size_t length, int64_t now) {
  struct journal *journal = (struct journal *)sink;
  journal->stream = stream;
  lines_feed(&journal->streams[stream - 1], bytes, length, now, add_record, journal);
  end_chunk(journal);
}

static void journal_end(struct sink *sink) {
  struct journal *journal = (struct journal *)sink;
  int64_t now = realtime_ns();
  for (journal->stream = 1; journal->stream <= 2; journal->stream++)
    lines_end(&journal->streams[journal->stream - 1], now, add_record, journal);
  end_chunk(journal);
  journal->limit = journal->file.ring;
  release_held(journal);
}

static bool journal_is_blocked(const struct sink *sink) {
  return ((const struct journal *)sink)->held.bytes != NULL;
}

static void journal_retry(struct sink *sink) {
  release_held((struct journal *)sink);
}

static struct sink_counts journal_counts(const struct sink *sink) {
  const struct journal *journal = (const struct journal *)sink;
  return (struct sink_counts){.written = journal->written, .lost = journal->lost};
}

static void journal_trim(struct sink *sink) {
  struct journal *journal = (struct journal *)sink;
  madvise(journal->batch, BATCH + MOST_RECORD, MADV_DONTNEED);
  madvise(journal->record, MOST_RECORD, MADV_DONTNEED);
  for (int i = 0; i < 2; i++) {
    if (journal->streams[i].held_length == 0)
      madvise(journal->streams[i].held, LINE_MAX_BYTES, MADV_DONTNEED);
  }
}

static void journal_close(struct sink *sink, bool unused) {
  struct journal *journal = (struct journal *)sink;
  (void)unused; // an earlier run's records may still be in it
  drop(journal, journal->held.count);
  journal_file_end(&journal->file);
  close(journal->file.fd);
  free(journal->held.bytes);
  munmap(journal, journal->mapped);
}

static const struct sink_ops journal_ops = {
    .write = journal_write,
    .end = journal_end,
    .is_blocked = journal_is_blocked,
    .retry = journal_retry,
    .counts = journal_counts,
    .trim = journal_trim,
    .close = journal_close,
};

static size_t whole_pages(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (bytes + page - 1) / page * page;
}

static struct journal *map_journal(void) {
  size_t head = whole_pages(sizeof(struct journal)), line = whole_pages(LINE_MAX_BYTES);
  size_t record = whole_pages(MOST_RECORD), batch = whole_pages(BATCH + 2 * MOST_RECORD);
  size_t mapped = head + 2 * line + record + batch;
  uint8_t *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED)
    return NULL;
  struct journal *journal = (struct journal *)base;
  journal->mapped = mapped;
  journal->streams[0].held = base + head;
  journal->streams[1].held = base + head + line;
  journal->record = base + head + 2 * line;
  journal->batch = base + head + 2 * line + record;
  return journal;
}

struct sink *sink_journal_open(const struct sink_request *request, int directory, struct failure *failure) {
  uint64_t capacity = request->size / JOURNAL_RECORD * JOURNAL_RECORD;
  if (strlen(request->name) > LOG_NAME_MAX || capacity < JOURNAL_MIN_CAPACITY || capacity > INT64_MAX / 2) {
    fail(failure, "protocol", 0, "a journal needs a name of at most 200 bytes and 64 KiB at least");
    return NULL;
  }
  struct journal *journal = map_journal();
  if (!journal) {
    fail(failure, "memory", errno, "no memory for the log buffers");
    return NULL;
  }
  if (journal_file_open(&journal->file, directory, request->name, capacity) < 0) {
    fail(failure, "log", errno, "open ", request->name);
    munmap(journal, journal->mapped);
    return NULL;
  }
  journal->sink.ops = &journal_ops;
  journal->blocking = request->blocking;
  journal->limit = journal->file.capacity;
  journal->next = journal->batch_next = journal->file.sequence;
  return &journal->sink;
}
