// SPDX-License-Identifier: Apache-2.0
//
// Writes single entries of a tree into a tar archive, with all that belongs to
// them.
#ifndef HAKO_PACK_ENTRY_H
#define HAKO_PACK_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../common/failure.h"
#include "link_table.h"
#include "tar_sparse.h"
#include "tar_writer.h"
#include "walk_path.h"
#include "worker_protocol.h"

struct pack {
  uint8_t flags;     // HAKO_PACK_*
  uint64_t entries;  // written so far
  struct bytes path; // of the entry in the archive
  struct tar_writer writer;
  struct link_table links;
  struct tar_sparse sparse;
};

// Anything but a directory: `name` in `parent`, under the current path. One that is gone by now is left out.
int pack_leaf(struct pack *p, int parent, const char *name, const struct stat *status, struct failure *f);

// The entry of an open directory itself, under the current path.
int pack_directory(struct pack *p, int fd, const char *name, struct failure *f);

// That what the layers below have at the current path, which ends in `name`, is gone. The path is changed.
int pack_whiteout(struct pack *p, const char *name, struct failure *f);

// With HAKO_PACK_WHITEOUTS, that an open directory hides all that the layers below have in it.
int pack_opaque(struct pack *p, int fd, struct failure *f);

// Whether an open file or directory has one of overlayfs's marks: "opaque", "whiteout".
bool pack_has_mark(int fd, const char *mark);

void pack_free(struct pack *p);

#endif
