// SPDX-License-Identifier: Apache-2.0
#include "sink_ops.h"

#include <errno.h>

static void none_write(struct sink *sink, int stream, const uint8_t *bytes, size_t length, int64_t now) {
  (void)sink, (void)stream, (void)bytes, (void)length, (void)now;
}

static void none_end(struct sink *sink) {
  (void)sink;
}

static struct sink_counts none_counts(const struct sink *sink) {
  (void)sink;
  return (struct sink_counts){0};
}

static bool none_take_rotated(struct sink *sink) {
  (void)sink;
  return false;
}

static void none_close(struct sink *sink, bool unused) {
  (void)sink, (void)unused;
}

static const struct sink_ops none_ops = {
    .write = none_write,
    .end = none_end,
    .counts = none_counts,
    .take_rotated = none_take_rotated,
    .trim = none_end,
    .close = none_close,
};

struct sink *sink_open(const struct sink_request *request, int directory, struct failure *failure) {
  static struct sink none = {.ops = &none_ops};
  switch (request->kind) {
  case HAKO_SINK_NONE:
    return &none;
  case HAKO_SINK_JSON_FILE:
    return sink_json_file_open(request, directory, failure);
  default:
    fail(failure, "log", ENOSYS, "this supervisor has no such sink");
    return NULL;
  }
}

void sink_write(struct sink *sink, int stream, const uint8_t *bytes, size_t length, int64_t now) {
  sink->ops->write(sink, stream, bytes, length, now);
}

void sink_end(struct sink *sink) {
  sink->ops->end(sink);
}

struct sink_counts sink_counts(const struct sink *sink) {
  return sink->ops->counts(sink);
}

bool sink_take_rotated(struct sink *sink) {
  return sink->ops->take_rotated(sink);
}

void sink_trim(struct sink *sink) {
  sink->ops->trim(sink);
}

void sink_close(struct sink *sink, bool unused) {
  sink->ops->close(sink, unused);
}
