// SPDX-License-Identifier: Apache-2.0
//
// Applies a tar archive to a directory.
#ifndef HAKO_UNPACK_H
#define HAKO_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/failure.h"
#include "metadata.h"
#include "tar_reader.h"

// What to do with the entries by which image layers delete (OCI image spec, layer.md, "Whiteouts").
enum whiteouts {
  WHITEOUTS_NONE = 0,    // ordinary names
  WHITEOUTS_OVERLAY = 1, // become overlayfs's own: the directory will be a lowerdir
  WHITEOUTS_APPLY = 2,   // delete from the directory, which holds the layers below
};

// overlayfs(5) keeps its marks in another namespace when mounted with userxattr.
enum opaque_xattr {
  OPAQUE_TRUSTED = 0, // trusted.overlay.opaque
  OPAQUE_USER = 1,    // user.overlay.opaque
};

struct unpack_options {
  enum whiteouts whiteouts;
  enum opaque_xattr opaque_xattr;
  enum ownership ownership;
  bool devices_optional; // a device that this namespace may not make is passed over and counted
  struct tar_limits limits;
};

struct unpack_result {
  uint64_t entries;
  uint64_t bytes_read;
  uint64_t bytes_written; // holes left out
  uint64_t devices_skipped;
  uint64_t xattrs_dropped;
};

// What was made before a failure stays; the caller removes the directory.
int unpack(int root, tar_read_fn read, void *context, const struct unpack_options *options,
           struct unpack_result *result, struct failure *f);

#endif
