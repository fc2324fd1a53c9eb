// SPDX-License-Identifier: Apache-2.0
#include "tar_pax.h"

#include <errno.h>
#include <string.h>

#include "tar_number.h"

#define XATTR_PREFIX "SCHILY.xattr."

struct record {
  const char *key;
  size_t key_length;
  const char *value;
  size_t value_length;
};

struct parse {
  struct tar_pax *pax;
  const struct tar_limits *limits;
  uint64_t offset;
  struct failure *f;
};

// "<length> <key>=<value>\n", the length counting all of it. The size of the record, or 0.
static size_t next_record(const char *at, size_t left, struct record *record) {
  const char *space = memchr(at, ' ', left < 20 ? left : 20);
  uint64_t length;
  if (!space || !tar_number_decimal(at, (size_t)(space - at), &length))
    return 0;
  size_t head = (size_t)(space - at) + 1;
  if (length > left || length < head + 2 || at[length - 1] != '\n')
    return 0;
  record->key = space + 1;
  const char *equals = memchr(record->key, '=', length - head - 1);
  if (!equals || equals == record->key)
    return 0;
  record->key_length = (size_t)(equals - record->key);
  record->value = equals + 1;
  record->value_length = length - head - record->key_length - 2;
  return length;
}

static bool key_is(const struct record *record, const char *key) {
  return record->key_length == strlen(key) && memcmp(record->key, key, record->key_length) == 0;
}

static int bad(const struct parse *p, const char *what) {
  return tar_complain(p->f, TAR_MALFORMED, p->offset, what);
}

static int no_memory(const struct parse *p) {
  return fail(p->f, "memory", ENOMEM, "extended header");
}

static int take_text(const struct parse *p, const struct record *record, struct bytes *to) {
  if (memchr(record->value, 0, record->value_length))
    return bad(p, "NUL in a name");
  return bytes_set_text(to, record->value, record->value_length) ? 0 : no_memory(p);
}

static int take_number(const struct parse *p, const struct record *record, uint64_t *to) {
  if (!tar_number_decimal(record->value, record->value_length, to))
    return bad(p, "a PAX record that should be a number is not");
  return 0;
}

static int take_sparse_pair(const struct parse *p, const struct record *record) {
  struct tar_pax *pax = p->pax;
  bool is_offset = key_is(record, "GNU.sparse.offset");
  if (is_offset == pax->sparse_offset_waits)
    return bad(p, "sparse map: offset and numbytes don't alternate");
  uint64_t value;
  if (take_number(p, record, &value) < 0)
    return -1;
  pax->sparse_offset_waits = is_offset;
  if (is_offset) {
    pax->sparse_offset = value;
    return 0;
  }
  pax->present |= TAR_PAX_SPARSE_MAP;
  return tar_sparse_add(&pax->sparse_map, pax->sparse_offset, value)
             ? 0
             : tar_complain(p->f, TAR_OVER_LIMIT, p->offset, "a sparse map of over 1,048,576 extents");
}

static int take_xattr(const struct parse *p, const struct record *record) {
  const size_t prefix = sizeof XATTR_PREFIX - 1;
  const char *name = record->key + prefix;
  size_t name_length = record->key_length - prefix;
  // xattr(7): a name is at most 255 bytes and has a namespace.
  if (name_length == 0 || name_length > 255 || memchr(name, 0, name_length))
    return bad(p, "an extended attribute's name is empty, over 255 bytes or has a NUL");
  struct bytes *xattrs = &p->pax->xattrs;
  uint32_t lengths[2] = {(uint32_t)name_length + 1, (uint32_t)record->value_length};
  // Sum of what all headers of this entry gave, so that many small ones don't add up unseen.
  if (xattrs->length + sizeof lengths + name_length + 1 + record->value_length > p->limits->xattr_bytes)
    return tar_complain(p->f, TAR_OVER_LIMIT, p->offset, "too many bytes of extended attributes");
  bool ok = bytes_append(xattrs, lengths, sizeof lengths) && bytes_append(xattrs, name, name_length) &&
            bytes_append(xattrs, "", 1) && bytes_append(xattrs, record->value, record->value_length);
  return ok ? 0 : no_memory(p);
}

bool tar_xattr_next(const struct bytes *xattrs, size_t *at, struct tar_xattr *xattr) {
  uint32_t lengths[2];
  if (*at >= xattrs->length)
    return false;
  memcpy(lengths, xattrs->data + *at, sizeof lengths);
  xattr->name = (const char *)xattrs->data + *at + sizeof lengths;
  xattr->value = xattr->name + lengths[0];
  xattr->length = lengths[1];
  *at += sizeof lengths + lengths[0] + lengths[1];
  return true;
}

static unsigned key_of(const struct record *record) {
  static const struct {
    const char *key;
    unsigned bit;
  } keys[] = {
      {"path", TAR_PAX_PATH},
      {"linkpath", TAR_PAX_LINK_PATH},
      {"size", TAR_PAX_SIZE},
      {"uid", TAR_PAX_UID},
      {"gid", TAR_PAX_GID},
      {"mtime", TAR_PAX_MTIME},
      {"GNU.sparse.major", TAR_PAX_SPARSE_MAJOR},
      {"GNU.sparse.minor", TAR_PAX_SPARSE_MINOR},
      {"GNU.sparse.name", TAR_PAX_SPARSE_NAME},
      {"GNU.sparse.size", TAR_PAX_SPARSE_SIZE},
      {"GNU.sparse.realsize", TAR_PAX_SPARSE_SIZE},
      {"GNU.sparse.map", TAR_PAX_SPARSE_MAP},
  };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (key_is(record, keys[i].key))
      return keys[i].bit;
  return 0;
}

static int take_value(const struct parse *p, const struct record *record, unsigned key) {
  struct tar_pax *pax = p->pax;
  switch (key) {
  case TAR_PAX_PATH:
    return take_text(p, record, &pax->path);
  case TAR_PAX_LINK_PATH:
    return take_text(p, record, &pax->link_path);
  case TAR_PAX_SPARSE_NAME:
    return take_text(p, record, &pax->sparse_name);
  case TAR_PAX_SIZE:
    return take_number(p, record, &pax->size);
  case TAR_PAX_UID:
    return take_number(p, record, &pax->uid);
  case TAR_PAX_GID:
    return take_number(p, record, &pax->gid);
  case TAR_PAX_SPARSE_MAJOR:
    return take_number(p, record, &pax->sparse_major);
  case TAR_PAX_SPARSE_MINOR:
    return take_number(p, record, &pax->sparse_minor);
  case TAR_PAX_SPARSE_SIZE:
    return take_number(p, record, &pax->sparse_size);
  case TAR_PAX_SPARSE_MAP:
    return tar_sparse_parse_list(&pax->sparse_map, record->value, record->value_length)
               ? 0
               : bad(p, "GNU.sparse.map is not a list of pairs, or has over 1,048,576");
  default:
    return tar_number_time(record->value, record->value_length, &pax->mtime, &pax->mtime_nanoseconds)
               ? 0
               : bad(p, "mtime is not a time");
  }
}

static int take_record(const struct parse *p, const struct record *record) {
  if (record->key_length >= sizeof XATTR_PREFIX - 1 && memcmp(record->key, XATTR_PREFIX, sizeof XATTR_PREFIX - 1) == 0)
    return take_xattr(p, record);
  if (key_is(record, "GNU.sparse.offset") || key_is(record, "GNU.sparse.numbytes"))
    return take_sparse_pair(p, record);
  unsigned key = key_of(record);
  if (key == 0)
    return 0; // atime, uname, comment, other vendors' …
  if (record->value_length == 0) {
    p->pax->present &= ~key;
    p->pax->erased |= key;
    return 0;
  }
  if (take_value(p, record, key) < 0)
    return -1;
  p->pax->present |= key;
  return 0;
}

static int parse_records(const struct parse *p, const char *records, size_t length) {
  while (length > 0) {
    struct record record;
    size_t size = next_record(records, length, &record);
    if (size == 0)
      return bad(p, "a PAX record is malformed");
    if (take_record(p, &record) < 0)
      return -1;
    records += size;
    length -= size;
  }
  return 0;
}

int tar_pax_parse(struct tar_pax *pax, const char *records, size_t length, const struct tar_limits *limits,
                  uint64_t offset, struct failure *f) {
  return parse_records(&(struct parse){pax, limits, offset, f}, records, length);
}

int tar_pax_parse_global(struct tar_pax *pax, const char *records, size_t length, const struct tar_limits *limits,
                         uint64_t offset, struct failure *f) {
  const struct parse p = {pax, limits, offset, f};
  if (parse_records(&p, records, length) < 0)
    return -1;
  // Readers disagree on a name or size for all entries (Go's ignores them, Python's takes them), so an archive
  // with one would mean different things to a scanner and to us.
  if ((pax->present & ~(unsigned)(TAR_PAX_UID | TAR_PAX_GID | TAR_PAX_MTIME)) || pax->xattrs.length > 0)
    return bad(&p, "a global PAX header sets a name, a size, a sparse map or an extended attribute");
  return 0;
}

void tar_pax_clear(struct tar_pax *pax) {
  pax->present = 0;
  pax->erased = 0;
  pax->sparse_map.count = 0;
  pax->sparse_offset_waits = false;
  pax->xattrs.length = 0;
}

void tar_pax_free(struct tar_pax *pax) {
  bytes_free(&pax->path);
  bytes_free(&pax->link_path);
  bytes_free(&pax->sparse_name);
  bytes_free(&pax->xattrs);
  tar_sparse_free(&pax->sparse_map);
}
