// SPDX-License-Identifier: Apache-2.0
//
// Whether a file or directory is still what it was.
#ifndef HAKO_DIFFERENCE_H
#define HAKO_DIFFERENCE_H

#include <stdbool.h>
#include <sys/stat.h>

// By what stat(2) says that is the file's own: not by inode, place on disk or change time, which a copy has anew; nor by
// a directory's size and time, which follow from its entries. Docker compares the same.
bool differs_in_status(const struct stat *one, const struct stat *other);

// Of two open files or directories, by those attributes that a layer keeps.
bool differs_in_xattrs(int one, int other);

#endif
