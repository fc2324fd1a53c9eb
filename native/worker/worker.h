// SPDX-License-Identifier: Apache-2.0
//
// One request, one answer.
#ifndef HAKO_WORKER_H
#define HAKO_WORKER_H

// Gives the exit code: 0 when an answer was sent, whatever it says.
int worker_run(void);

#endif
