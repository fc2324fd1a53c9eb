// SPDX-License-Identifier: Apache-2.0
//
// The C helpers that the addon shares with the supervisor and the worker.
#ifndef HAKO_ADDON_SYSCALLS_H
#define HAKO_ADDON_SYSCALLS_H

extern "C" {
#include "../common/failure.h"
#include "../common/fd.h"
#include "../common/rmtree.h"
#include "../common/syscalls.h"
}

#include <sys/wait.h>

namespace hako {

constexpr auto kPidfd = static_cast<idtype_t>(3);  // P_PIDFD, newer than glibc 2.28

}  // namespace hako

#endif
