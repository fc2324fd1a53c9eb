// SPDX-License-Identifier: Apache-2.0
//
// Docker's json-file: one object a line,
// {"log":"text\n","stream":"stdout","attrs":{…},"time":"2026-11-24T05:29:34.1234Z"}
#include <string.h>
#include <sys/mman.h>

#include "../common/fd.h"
#include "json_line.h"
#include "lines.h"
#include "log_file.h"
#include "rfc3339.h"
#include "sink_ops.h"

#define PREFIX "{\"log\":\""
#define MOST_ATTRS (1u << 20)
#define FIXED_PARTS 128   // everything of a record but its text and its attrs
#define BATCH (96u << 10) // records are gathered to about this much for one write(2)

struct json_file {
  struct sink sink;
  size_t mapped; // bytes of the one mapping that all of this lives in
  struct log_file file;
  bool compress;
  bool put_off; // rotation, until the next chunk of output
  struct lines streams[2];
  // The end of a record is the same for all lines of one chunk.
  char *suffix;
  size_t suffix_length;
  int suffix_stream;
  int64_t suffix_time;
  int stream; // whose lines are being given
  const uint8_t *attrs;
  size_t attrs_length;
  char *records;
  size_t records_capacity, records_length;
  uint64_t records_count;
};

static void flush(struct json_file *json) {
  if (json->records_length > 0)
    log_file_append(&json->file, json->records, json->records_length, json->records_count);
  json->records_length = 0;
  json->records_count = 0;
}

static char *put(char *out, const void *bytes, size_t length) {
  memcpy(out, bytes, length);
  return out + length;
}

static void make_suffix(struct json_file *json, int64_t time) {
  static const char stdout_part[] = "\",\"stream\":\"stdout\"", stderr_part[] = "\",\"stream\":\"stderr\"";
  static const char attrs_part[] = ",\"attrs\":", time_part[] = ",\"time\":\"";
  char stamp[RFC3339_MAX];
  char *out = put(json->suffix, json->stream == 1 ? stdout_part : stderr_part, sizeof stdout_part - 1);
  if (json->attrs_length > 0) {
    out = put(out, attrs_part, sizeof attrs_part - 1);
    out = put(out, json->attrs, json->attrs_length);
  }
  out = put(out, time_part, sizeof time_part - 1);
  out = put(out, stamp, rfc3339_nano(stamp, time));
  out = put(out, "\"}\n", 3);
  json->suffix_length = (size_t)(out - json->suffix);
  json->suffix_stream = json->stream;
  json->suffix_time = time;
}

static void make_room(struct json_file *json, size_t needed) {
  if (json->records_length + needed > json->records_capacity || json->records_length >= BATCH)
    flush(json);
  // Docker looks at the size before it writes, so a file passes its limit by up to one record.
  if (!log_file_is_full(&json->file, json->records_length))
    return;
  flush(json);
  if (!json->put_off && log_file_is_full(&json->file, 0))
    json->put_off = !log_file_rotate(&json->file);
}

static void add_record(void *context, const struct line *line) {
  struct json_file *json = context;
  if (json->suffix_time != line->time || json->suffix_stream != json->stream)
    make_suffix(json, line->time);
  make_room(json, line->length * JSON_ESCAPE_MAX + FIXED_PARTS + json->attrs_length);
  char *start = json->records + json->records_length;
  char *out = put(start, PREFIX, sizeof PREFIX - 1);
  out = json_escape(out, line->text, line->length);
  if (line->complete)
    out = put(out, "\\n", 2);
  out = put(out, json->suffix, json->suffix_length);
  json->records_length += (size_t)(out - start);
  json->records_count++;
}

static void json_file_write(struct sink *sink, int stream, const uint8_t *bytes, size_t length, int64_t now) {
  struct json_file *json = (struct json_file *)sink;
  json->stream = stream;
  json->put_off = false;
  lines_feed(&json->streams[stream - 1], bytes, length, now, add_record, json);
  flush(json);
}

static void json_file_end(struct sink *sink) {
  struct json_file *json = (struct json_file *)sink;
  int64_t now = realtime_ns();
  json->put_off = false;
  for (json->stream = 1; json->stream <= 2; json->stream++)
    lines_end(&json->streams[json->stream - 1], now, add_record, json);
  flush(json);
}

static struct sink_counts json_file_counts(const struct sink *sink) {
  const struct json_file *json = (const struct json_file *)sink;
  return (struct sink_counts){.written = json->file.written, .lost = json->file.lost};
}

static bool json_file_take_rotated(struct sink *sink) {
  struct json_file *json = (struct json_file *)sink;
  bool rotated = json->file.rotated && json->compress;
  json->file.rotated = false;
  return rotated;
}

static void json_file_trim(struct sink *sink) {
  struct json_file *json = (struct json_file *)sink;
  madvise(json->records, json->records_capacity, MADV_DONTNEED);
  for (int i = 0; i < 2; i++) {
    if (json->streams[i].held_length == 0)
      madvise(json->streams[i].held, LINE_MAX_BYTES, MADV_DONTNEED);
  }
}

static void json_file_close(struct sink *sink, bool unused) {
  struct json_file *json = (struct json_file *)sink;
  log_file_close(&json->file, unused);
  munmap(json, json->mapped);
}

static const struct sink_ops json_file_ops = {
    .write = json_file_write,
    .end = json_file_end,
    .counts = json_file_counts,
    .take_rotated = json_file_take_rotated,
    .trim = json_file_trim,
    .close = json_file_close,
};

static size_t whole_pages(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (bytes + page - 1) / page * page;
}

// One mapping, its parts on pages of their own: what is not touched costs
// nothing, and the parts can be given back one by one.
static struct json_file *map_json_file(size_t attrs_length) {
  size_t head = whole_pages(sizeof(struct json_file) + 2 * attrs_length + FIXED_PARTS);
  size_t held = whole_pages(LINE_MAX_BYTES);
  size_t capacity =
      whole_pages(BATCH + LINE_MAX_BYTES * JSON_ESCAPE_MAX + JSON_ESCAPE_SLACK + FIXED_PARTS + attrs_length);
  size_t mapped = head + 2 * held + capacity;
  char *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED)
    return NULL;
  struct json_file *json = (struct json_file *)base;
  json->mapped = mapped;
  json->attrs = (uint8_t *)(json + 1);
  json->suffix = (char *)(json + 1) + attrs_length;
  json->streams[0].held = (uint8_t *)base + head;
  json->streams[1].held = (uint8_t *)base + head + held;
  json->records = base + head + 2 * held;
  json->records_capacity = capacity - JSON_ESCAPE_SLACK;
  return json;
}

struct sink *sink_json_file_open(const struct sink_request *request, int directory, struct failure *failure) {
  struct wire_bytes attrs = request->attrs;
  // A newline would end the record for every reader.
  if (attrs.length > MOST_ATTRS || (attrs.length > 0 && memchr(attrs.data, '\n', attrs.length))) {
    fail(failure, "protocol", 0, "the attributes of log records are not one line of at most 1 MiB");
    return NULL;
  }
  if (strlen(request->name) > LOG_NAME_MAX || request->max_files == 0) {
    fail(failure, "protocol", 0, "a log file needs a name of at most 200 bytes and at least one file");
    return NULL;
  }
  struct json_file *json = map_json_file(attrs.length);
  if (!json) {
    fail(failure, "memory", errno, "no memory for the log buffers");
    return NULL;
  }
  if (attrs.length > 0)
    memcpy(json + 1, attrs.data, attrs.length);
  json->sink.ops = &json_file_ops;
  json->attrs_length = attrs.length;
  json->compress = request->compress && request->max_files > 1;
  json->file =
      (struct log_file){.directory = directory, .fd = -1, .max_size = request->size, .max_files = request->max_files};
  strcpy(json->file.name, request->name);
  if (log_file_open(&json->file) < 0) {
    fail(failure, "log", errno, "open ", request->name);
    munmap(json, json->mapped);
    return NULL;
  }
  return &json->sink;
}
