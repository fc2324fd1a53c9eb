// SPDX-License-Identifier: Apache-2.0
//
// Writes to procfs. They go through the host's instance, by a descriptor that
// was opened before the container's root could be seen: what an image or a
// neighbour mounts over its own /proc can't turn them elsewhere
// (CVE-2019-16884, CVE-2025-52881). The sysctls below net, kernel and fs that a
// namespace has are those of the writer's namespaces, whichever procfs it is.
#ifndef HAKO_HOST_PROC_H
#define HAKO_HOST_PROC_H

#include <stddef.h>

#include "failure.h"

int host_proc_open(const char *operation, struct failure *failure);

// `path` relative to procfs, with no link in it but `self`. -1 with errno.
int host_proc_open_writable(int proc, const char *path);
int host_proc_write(int proc, const char *path, const void *data, size_t length);

#endif
