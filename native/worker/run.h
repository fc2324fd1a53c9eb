// SPDX-License-Identifier: Apache-2.0
//
// Carries one job out.
#ifndef HAKO_RUN_H
#define HAKO_RUN_H

#include "../common/failure.h"
#include "../common/wire.h"
#include "job.h"

// Enters the sandbox, works, and writes the job's result into the answer.
int run_job(const struct job *job, struct wire_writer *answer, struct failure *f);

#endif
