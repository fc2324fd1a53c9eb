// SPDX-License-Identifier: Apache-2.0
//
// What a kind of sink has to bring; sink.c only chooses among them. What is NULL
// has nothing to do in that kind.
#ifndef HAKO_SINK_OPS_H
#define HAKO_SINK_OPS_H

#include "sink.h"

struct sink_ops {
  void (*write)(struct sink *sink, int stream, const uint8_t *bytes, size_t length, int64_t now);
  void (*end)(struct sink *sink);
  bool (*is_blocked)(const struct sink *sink);
  void (*retry)(struct sink *sink);
  struct sink_counts (*counts)(const struct sink *sink);
  bool (*take_rotated)(struct sink *sink);
  void (*trim)(struct sink *sink);
  void (*close)(struct sink *sink, bool unused);
};

struct sink {
  const struct sink_ops *ops;
};

struct sink *sink_json_file_open(const struct sink_request *request, int directory, struct failure *failure);
struct sink *sink_journal_open(const struct sink_request *request, int directory, struct failure *failure);

#endif
