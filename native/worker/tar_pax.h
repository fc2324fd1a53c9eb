// SPDX-License-Identifier: Apache-2.0
//
// PAX extended headers (POSIX.1-2017, pax, "pax Extended Header"): records that
// override fields of the header that follows.
#ifndef HAKO_TAR_PAX_H
#define HAKO_TAR_PAX_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "tar_limits.h"
#include "tar_sparse.h"

enum tar_pax_key {
  TAR_PAX_PATH = 1 << 0,
  TAR_PAX_LINK_PATH = 1 << 1,
  TAR_PAX_SIZE = 1 << 2,
  TAR_PAX_UID = 1 << 3,
  TAR_PAX_GID = 1 << 4,
  TAR_PAX_MTIME = 1 << 5,
  TAR_PAX_SPARSE_MAJOR = 1 << 6,
  TAR_PAX_SPARSE_MINOR = 1 << 7,
  TAR_PAX_SPARSE_NAME = 1 << 8,
  TAR_PAX_SPARSE_SIZE = 1 << 9,
  TAR_PAX_SPARSE_MAP = 1 << 10,
};

struct tar_pax {
  unsigned present; // TAR_PAX_*
  unsigned erased;  // given with no value: the global header's is not meant either
  struct bytes path; // C strings
  struct bytes link_path;
  struct bytes sparse_name;
  uint64_t size;
  uint64_t uid;
  uint64_t gid;
  int64_t mtime;
  uint32_t mtime_nanoseconds;
  uint64_t sparse_major;
  uint64_t sparse_minor;
  uint64_t sparse_size;
  struct tar_sparse sparse_map;
  uint64_t sparse_offset; // of 0.0, where offset and numbytes are records of their own
  bool sparse_offset_waits;
  struct bytes xattrs; // see tar_xattr_next
};

// Takes in the records of one extended header; later ones win. -1 and a failure when they aren't sound.
int tar_pax_parse(struct tar_pax *pax, const char *records, size_t length, const struct tar_limits *limits,
                  uint64_t offset, struct failure *f);

// As for `pax`, from a header of type 'g': what holds for every later entry. Only ids and times may.
int tar_pax_parse_global(struct tar_pax *pax, const char *records, size_t length, const struct tar_limits *limits,
                         uint64_t offset, struct failure *f);

void tar_pax_clear(struct tar_pax *pax);
void tar_pax_free(struct tar_pax *pax);

// Steps through xattrs: `*at` starts at 0. False at the end.
struct tar_xattr {
  const char *name;
  const void *value;
  uint32_t length;
};
bool tar_xattr_next(const struct bytes *xattrs, size_t *at, struct tar_xattr *xattr);

#endif
