// SPDX-License-Identifier: Apache-2.0
#include "tar_header.h"

#include <string.h>

#include "tar_number.h"

// Offset and width of the fields, from POSIX.1-2017 (pax, "ustar Interchange Format") and, for sparse files,
// from the description of the old GNU format in GNU tar's manual.
enum {
  NAME = 0,
  NAME_BYTES = 100,
  MODE = 100,
  UID = 108,
  GID = 116,
  ID_BYTES = 8,
  SIZE = 124,
  MTIME = 136,
  SIZE_BYTES = 12,
  CHECKSUM = 148,
  CHECKSUM_BYTES = 8,
  TYPE = 156,
  LINK = 157,
  LINK_BYTES = 100,
  MAGIC = 257,
  DEVICE_MAJOR = 329,
  DEVICE_MINOR = 337,
  PREFIX = 345,
  PREFIX_BYTES = 155,
  STAR_PREFIX_BYTES = 131,
  STAR_MAGIC = 508,
  SPARSE_MAP = 386,
  SPARSE_ENTRIES = 4,
  SPARSE_CONTINUES = 482,
  SPARSE_SIZE = 483,
  SPARSE_BLOCK_ENTRIES = 21,
  SPARSE_BLOCK_CONTINUES = 504,
};

bool tar_block_is_zero(const unsigned char *block) {
  return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK_SIZE - 1) == 0;
}

// Old tars summed signed chars; both sums are in the field.
static bool checksum_matches(const unsigned char *block) {
  int64_t stored;
  if (!tar_number_field(block + CHECKSUM, CHECKSUM_BYTES, &stored))
    return false;
  int64_t plain = 0;
  int64_t with_sign = 0;
  for (size_t i = 0; i < TAR_BLOCK_SIZE; i++) {
    bool own = i >= CHECKSUM && i < CHECKSUM + CHECKSUM_BYTES;
    plain += own ? ' ' : block[i];
    with_sign += own ? ' ' : (signed char)block[i];
  }
  return stored == plain || stored == with_sign;
}

static bool take_name(struct bytes *to, const unsigned char *block, bool posix) {
  size_t name_length = strnlen((const char *)block + NAME, NAME_BYTES);
  bool star = memcmp(block + STAR_MAGIC, "tar", 4) == 0;
  size_t prefix_length =
      posix ? strnlen((const char *)block + PREFIX, star ? STAR_PREFIX_BYTES : PREFIX_BYTES) : 0;
  to->length = 0;
  if (prefix_length > 0 && !(bytes_append(to, block + PREFIX, prefix_length) && bytes_append(to, "/", 1)))
    return false;
  return bytes_append(to, block + NAME, name_length) && bytes_append(to, "", 1);
}

// A map entry whose length field is empty ends the map.
static const char *take_sparse(const unsigned char *at, size_t entries, struct tar_sparse *sparse) {
  for (size_t i = 0; i < entries; i++, at += 2 * SIZE_BYTES) {
    int64_t offset;
    int64_t length;
    if (at[SIZE_BYTES] == 0)
      break;
    if (!tar_number_field(at, SIZE_BYTES, &offset) || !tar_number_field(at + SIZE_BYTES, SIZE_BYTES, &length) ||
        offset < 0 || length < 0)
      return "a number in a sparse map is malformed";
    if (!tar_sparse_add(sparse, (uint64_t)offset, (uint64_t)length))
      return "a sparse map has over 1,048,576 extents";
  }
  return NULL;
}

const char *tar_header_parse_sparse_block(const unsigned char *block, struct tar_sparse *sparse, bool *continues) {
  *continues = block[SPARSE_BLOCK_CONTINUES] != 0;
  return take_sparse(block, SPARSE_BLOCK_ENTRIES, sparse);
}

const char *tar_header_parse(struct tar_header *header, const unsigned char *block, struct tar_sparse *sparse) {
  if (!checksum_matches(block))
    return "the header's checksum is wrong: not a tar archive, or a damaged one";
  // "ustar\0" + version; GNU writes "ustar  \0" and keeps other things where POSIX has the prefix.
  bool ustar = memcmp(block + MAGIC, "ustar", 5) == 0;
  bool posix = ustar && block[MAGIC + 5] == 0;
  header->type = (char)block[TYPE];
  if (!tar_number_field(block + MODE, ID_BYTES, &header->mode) ||
      !tar_number_field(block + UID, ID_BYTES, &header->uid) ||
      !tar_number_field(block + GID, ID_BYTES, &header->gid) ||
      !tar_number_field(block + SIZE, SIZE_BYTES, &header->size) ||
      !tar_number_field(block + MTIME, SIZE_BYTES, &header->mtime))
    return "a number in the header is malformed";
  if (header->size < 0)
    return "the size is negative";
  header->device_major = header->device_minor = 0;
  bool device = header->type == '3' || header->type == '4';
  if (device && ustar &&
      (!tar_number_field(block + DEVICE_MAJOR, ID_BYTES, &header->device_major) ||
       !tar_number_field(block + DEVICE_MINOR, ID_BYTES, &header->device_minor)))
    return "a device number is malformed";
  if (!take_name(header->path, block, posix) ||
      !bytes_set_text(header->link_path, block + LINK, strnlen((const char *)block + LINK, LINK_BYTES)))
    return "no memory for the name";
  header->sparse_continues = false;
  if (header->type != 'S')
    return NULL;
  sparse->count = 0;
  header->sparse_continues = block[SPARSE_CONTINUES] != 0;
  if (!tar_number_field(block + SPARSE_SIZE, SIZE_BYTES, &header->sparse_size) || header->sparse_size < 0)
    return "the size of a sparse file is malformed";
  return take_sparse(block + SPARSE_MAP, SPARSE_ENTRIES, sparse);
}
