// SPDX-License-Identifier: Apache-2.0
//
// Filesystems that show the kernel's state. Their files are no data to copy, and
// writing them acts on the machine.
#ifndef HAKO_KERNEL_FILESYSTEM_H
#define HAKO_KERNEL_FILESYSTEM_H

#include <stdbool.h>

// Whether a file or directory, open in whatever way, lies on one.
bool is_kernel_filesystem(int fd);

#endif
