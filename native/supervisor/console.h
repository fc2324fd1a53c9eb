// SPDX-License-Identifier: Apache-2.0
//
// A pty of the container's own devpts. Both ends are had by descriptor
// (TIOCGPTPEER): a path such as /dev/pts/0 may be a link by the time that it is
// used (CVE-2025-52565).
#ifndef HAKO_CONSOLE_H
#define HAKO_CONSOLE_H

#include <stdint.h>

#include "../common/failure.h"

struct pty {
  int master; // non-blocking
  int slave;
};

int pty_open(int root, uint16_t rows, uint16_t columns, struct pty *out, struct failure *failure);

#endif
