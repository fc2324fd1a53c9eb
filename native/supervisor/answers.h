// SPDX-License-Identifier: Apache-2.0
//
// The frames that tell of a task.
#ifndef HAKO_ANSWERS_H
#define HAKO_ANSWERS_H

#include "task.h"

void answer_started(struct session *session, const struct process *process);
void answer_prepared(struct session *session);
void answer_state(struct session *session);

// EXITED to all sessions of a task, as the last frame of each.
// @param cleared: nothing of the container is left in the kernel
void answer_exited(struct task *task, bool cleared);
// Ends the task's sessions: their peers see the end when they have read all.
void sessions_dismiss(struct task *task);

#endif
