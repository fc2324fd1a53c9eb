// SPDX-License-Identifier: Apache-2.0
//
// A failure as a value: what was being done, errno (0 when no system call is to
// blame) and to which object. It travels to Node as HAKO_FAILED, where it
// becomes an error with a remedy, so an operation is a stable name and not prose.
//
// Functions that take a `struct failure *` give -1 (or false) after setting it.
#ifndef HAKO_FAILURE_H
#define HAKO_FAILURE_H

#include <stddef.h>

// Operations: protocol memory cgroup namespace clone idmap propagation mount bind mkdir symlink mknod pivot
// mask readonly sysctl console loopback root-attr hostname keyring user groups capabilities seccomp apparmor
// idmapped-mount rlimit oom-score cwd stdio exec child log exit-record control-socket session state
struct failure {
  char operation[16];
  int errnum;
  char detail[364];
};

// fail(f, "mount", errno, "overlay on ", path): the pieces, joined; cut at the
// end of the buffer. Always gives -1. Strings only: no printf in the supervisor.
#define fail(failure, operation, errnum, ...) \
  failure_set((failure), (operation), (errnum), (const char *const[]){__VA_ARGS__, NULL})

int failure_set(struct failure *f, const char *operation, int errnum, const char *const pieces[]);

// Decimal text of a number, as a piece; lives in `buffer`.
#define DECIMAL_SIZE 24
const char *decimal(char buffer[DECIMAL_SIZE], long long value);

#endif
