// SPDX-License-Identifier: Apache-2.0
//
// What a process writes: read once, given to the sink and to every session
// that is attached. A stream is not read while one of its readers is behind.
#ifndef HAKO_OUTPUT_H
#define HAKO_OUTPUT_H

#include "task.h"

// Sets aside the one buffer that all streams are read into.
int output_init(void);

int stream_open(struct stream *stream, struct task *task, uint8_t number, int fd);

// Reads on, if no reader is behind.
void stream_update(struct stream *stream);

// The process has ended: what it left in the pipe or tty is taken in any case.
void stream_process_ended(struct stream *stream);

void stream_close(struct stream *stream);

// Gives the buffer's memory back until it is used again.
void output_trim(void);

#endif
