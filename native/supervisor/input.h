// SPDX-License-Identifier: Apache-2.0
//
// What a process reads. While its pipe is full, the session that fed it is not
// listened to; nothing is buffered but the frame at hand.
#ifndef HAKO_INPUT_H
#define HAKO_INPUT_H

#include "task.h"

void input_open(struct input *input, struct task *task, int fd);

// One HAKO_STDIN frame; takes the payload when the pipe does not take all of it.
void input_write(struct input *input, struct session *session, uint8_t **payload, uint32_t length);

// End of file, after what waits. A tty has no such thing and stays open.
void input_end(struct input *input);

// The session has ended: what of it waits is dropped.
void input_forget(struct input *input, struct session *session);

void input_close(struct input *input);

#endif
