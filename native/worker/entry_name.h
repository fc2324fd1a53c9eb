// SPDX-License-Identifier: Apache-2.0
//
// Names in an archive are text that an attacker chose. Here they become
// relative paths with no ".", no ".." and no empty component, or are refused.
// What symlinks inside the tree make of them is left to parents.h.
#ifndef HAKO_ENTRY_NAME_H
#define HAKO_ENTRY_NAME_H

#include <stdint.h>

#include "bytes.h"

// Cleans `raw` into `clean` ("" is the root of the tree) and counts its components. NULL, or why it is refused: an
// empty name, a ".." that leads above the root, a name too long for the kernel. A leading "/" means the root of the
// tree; "a/../b" means "b" whatever a is, as in every tool that writes images.
const char *entry_name_clean(const char *raw, struct bytes *clean, uint32_t *depth);

// The last component, and the length of what is before it without its slash.
const char *entry_name_base(const struct bytes *clean, size_t *parent_length);

// Puts a clean name below a directory that has one; or says what is wrong.
const char *entry_name_below(struct bytes *clean, const char *directory);

#endif
