// SPDX-License-Identifier: Apache-2.0
//
// Where a container's output is kept. A sink takes the bytes of both streams as
// they come; what it writes and when it rotates is its own business, and goes on
// with no Node process alive.
#ifndef HAKO_SINK_H
#define HAKO_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/failure.h"
#include "request.h"

struct sink;

struct sink_counts {
  uint64_t written, lost; // records
};

// NULL with the failure set. `directory` is borrowed.
struct sink *sink_open(const struct sink_request *request, int directory, struct failure *failure);

// `stream` is 1 (stdout) or 2 (stderr), `now` in ns since the epoch.
void sink_write(struct sink *sink, int stream, const uint8_t *bytes, size_t length, int64_t now);

// No more will come from either stream: what was held back is written out, but
// for what a sink that is still blocked then can't take yet.
void sink_end(struct sink *sink);

// Whether it has as much as it can take; more would have to be held in memory.
bool sink_is_blocked(const struct sink *sink);

// Looks again whether it can take more.
void sink_retry(struct sink *sink);

struct sink_counts sink_counts(const struct sink *sink);

// Whether a rotated file waits to be compressed that was not told of before.
bool sink_take_rotated(struct sink *sink);

// Gives memory back that the next output will draw again.
void sink_trim(struct sink *sink);

// What could not be taken is lost. `unused`: the container never started, so a file that is still empty goes too.
void sink_close(struct sink *sink, bool unused);

#endif
