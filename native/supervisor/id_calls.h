// SPDX-License-Identifier: Apache-2.0
//
// What is answered to each call that names an id: pure rules of credentials(7),
// but for the memory of the process that has to be read or written.
#ifndef HAKO_ID_CALLS_H
#define HAKO_ID_CALLS_H

#include "id_memory.h"
#include "id_table.h"

struct id_answer {
  bool goes_on; // the kernel is to do the call
  int errnum;   // 0: `value` is the call's result
  int64_t value;
};

struct id_answer id_call_answer(const struct id_call *call, const struct credentials *initial);

#endif
