// SPDX-License-Identifier: Apache-2.0
//
// The parts of START that one with HAKO_START_WAIT comes to later.
#ifndef HAKO_START_H
#define HAKO_START_H

#include "request.h"
#include "session.h"

// The program runs: from here on it is watched, and the session is its owner's. On
// failure the container is gone.
int start_run(struct session *session, const struct start_request *request, struct failure *failure);

// Takes away what was made in the state directory.
void start_undo(void);

// FAILED, and the end.
void start_failed(struct session *session, const struct failure *failure);

#endif
