// SPDX-License-Identifier: Apache-2.0
//
// The system calls that work on file trees takes; every other one ends the process.
#ifndef HAKO_SYSCALL_FILTER_H
#define HAKO_SYSCALL_FILTER_H

// Needs no_new_privs. -1 with errno.
int syscall_filter_install(void);

#endif
