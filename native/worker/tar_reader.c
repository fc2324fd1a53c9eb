// SPDX-License-Identifier: Apache-2.0
#include "tar_reader.h"

#include <errno.h>
#include <string.h>

#include "tar_header.h"
#include "tar_reader_parts.h"

bool tar_reader_init(struct tar_reader *reader, tar_read_fn read, void *context, const struct tar_limits *limits) {
  *reader = (struct tar_reader){.limits = *limits};
  return tar_source_init(&reader->source, read, context, limits->archive_bytes);
}

void tar_reader_free(struct tar_reader *reader) {
  tar_source_free(&reader->source);
  tar_pax_free(&reader->pax);
  tar_pax_free(&reader->global);
  bytes_free(&reader->path);
  bytes_free(&reader->link_path);
  bytes_free(&reader->long_path);
  bytes_free(&reader->long_link);
  bytes_free(&reader->records);
  tar_sparse_free(&reader->old_sparse);
}

int tar_reader_malformed(struct tar_reader *reader, struct failure *f, const char *what) {
  return tar_complain(f, TAR_MALFORMED, reader->offset, what);
}

static int source_failed(struct tar_reader *reader, struct failure *f) {
  if (reader->source.over_limit)
    return tar_complain(f, TAR_OVER_LIMIT, reader->offset, "the archive has too many bytes");
  if (errno == 0)
    return tar_reader_malformed(reader, f, "the archive ends too early");
  return fail(f, "read", errno, "archive");
}

const unsigned char *tar_reader_peek(struct tar_reader *reader, struct failure *f) {
  ssize_t here = tar_source_fill(&reader->source, TAR_BLOCK_SIZE);
  if (here >= (ssize_t)TAR_BLOCK_SIZE)
    return tar_source_at(&reader->source);
  if (here >= 0)
    errno = 0;
  source_failed(reader, f);
  return NULL;
}

static uint32_t padding_of(uint64_t size) {
  return (uint32_t)(-size % TAR_BLOCK_SIZE);
}

static int finish_entry(struct tar_reader *reader, struct failure *f) {
  uint64_t rest = reader->data_left;
  uint32_t padding = reader->padding;
  reader->data_left = 0;
  reader->padding = 0;
  if (!tar_source_skip(&reader->source, rest))
    return source_failed(reader, f);
  // `umoci insert` ends an archive right behind the data of the last file. Nothing of it is missing then.
  if (!tar_source_skip(&reader->source, padding) && (errno != 0 || reader->source.over_limit))
    return source_failed(reader, f);
  return 0;
}

static int read_records(struct tar_reader *reader, uint64_t size, struct failure *f) {
  if (size > reader->limits.header_bytes)
    return tar_complain(f, TAR_OVER_LIMIT, reader->offset, "an extended header is too large");
  reader->records.length = 0;
  while (reader->records.length < size) {
    ssize_t some = tar_source_some(&reader->source, (size_t)size - reader->records.length);
    if (some <= 0) {
      if (some == 0)
        errno = 0;
      return source_failed(reader, f);
    }
    if (!bytes_append(&reader->records, tar_source_at(&reader->source), (size_t)some))
      return fail(f, "memory", ENOMEM, "extended header");
    tar_source_consume(&reader->source, (size_t)some);
  }
  return tar_source_skip(&reader->source, padding_of(size)) ? 0 : source_failed(reader, f);
}

// GNU's long names end in NUL; one with more behind it would be read differently by others.
static int take_long(struct tar_reader *reader, struct bytes *to, struct failure *f) {
  const struct bytes *records = &reader->records;
  size_t length = strnlen(bytes_text(records), records->length);
  for (size_t i = length; i < records->length; i++)
    if (records->data[i] != 0)
      return tar_reader_malformed(reader, f, "NUL in a name");
  return bytes_set_text(to, records->data, length) ? 0 : fail(f, "memory", ENOMEM, "long name");
}

// 1: the header was about the one that follows and is dealt with. 0: it is an entry's own. -1.
static int take_extended(struct tar_reader *reader, const struct tar_header *header, struct failure *f) {
  if (!strchr("LKxXgV", header->type) || header->type == 0)
    return 0;
  uint64_t size = (uint64_t)header->size;
  if (header->type == 'V') { // a volume's label: names nothing in the tree
    return tar_source_skip(&reader->source, size) && tar_source_skip(&reader->source, padding_of(size))
               ? 1
               : source_failed(reader, f);
  }
  if (read_records(reader, size, f) < 0)
    return -1;
  const char *records = bytes_text(&reader->records);
  size_t length = reader->records.length;
  int result;
  switch (header->type) {
  case 'L':
    reader->has_long_path = true;
    result = take_long(reader, &reader->long_path, f);
    break;
  case 'K':
    reader->has_long_link = true;
    result = take_long(reader, &reader->long_link, f);
    break;
  case 'g':
    result = tar_pax_parse_global(&reader->global, records, length, &reader->limits, reader->offset, f);
    break;
  default:
    result = tar_pax_parse(&reader->pax, records, length, &reader->limits, reader->offset, f);
  }
  return result < 0 ? -1 : 1;
}

static int type_of(char type, const char *path) {
  size_t length = strlen(path);
  switch (type) {
  case '0':
  case '7': // "contiguous", which no file system here is
  case 0:
    // Before ustar a directory was a file whose name ends in a slash.
    return length > 0 && path[length - 1] == '/' ? TAR_DIRECTORY : TAR_FILE;
  case 'S':
    return TAR_FILE;
  case '1':
    return TAR_HARDLINK;
  case '2':
    return TAR_SYMLINK;
  case '3':
    return TAR_CHARACTER;
  case '4':
    return TAR_BLOCK;
  case '5':
    return TAR_DIRECTORY;
  case '6':
    return TAR_FIFO;
  default:
    return -1;
  }
}

static int choose_name(struct tar_reader *reader, const struct bytes *own, const struct bytes *gnu, bool has_gnu,
                       const struct bytes *pax, unsigned key, const char **name, struct failure *f) {
  bool has_pax = (reader->pax.present & key) != 0;
  if (has_gnu && has_pax)
    return tar_reader_malformed(reader, f, "two names: a GNU long one and a PAX one");
  *name = bytes_text(has_gnu ? gnu : has_pax ? pax : own);
  return 0;
}

static int choose_id(struct tar_reader *reader, int64_t own, unsigned key, uint64_t pax, uint64_t global, uint32_t *id,
                     struct failure *f) {
  uint64_t chosen = (uint64_t)own;
  if (reader->pax.present & key)
    chosen = pax;
  else if (reader->global.present & key & ~reader->pax.erased)
    chosen = global;
  // (uid_t)-1 means "leave" to chown(2).
  if (chosen >= UINT32_MAX)
    return tar_reader_malformed(reader, f, "a user or group id is out of range");
  *id = (uint32_t)chosen;
  return 0;
}

static void choose_mtime(const struct tar_reader *reader, int64_t own, struct tar_entry *entry) {
  const struct tar_pax *from = NULL;
  if (reader->pax.present & TAR_PAX_MTIME)
    from = &reader->pax;
  else if (reader->global.present & TAR_PAX_MTIME & ~reader->pax.erased)
    from = &reader->global;
  entry->mtime = from ? from->mtime : own;
  entry->mtime_nanoseconds = from ? from->mtime_nanoseconds : 0;
}

static int take_data(struct tar_reader *reader, const struct tar_header *header, struct tar_entry *entry,
                     struct failure *f) {
  const unsigned any_sparse = TAR_PAX_SPARSE_MAJOR | TAR_PAX_SPARSE_MINOR | TAR_PAX_SPARSE_NAME | TAR_PAX_SPARSE_SIZE |
                              TAR_PAX_SPARSE_MAP;
  reader->sparse = NULL;
  reader->next_extent = 0;
  reader->extent = (struct tar_extent){0};
  entry->size = 0;
  // As in Go's reader, a size has no meaning for anything but a file.
  if (entry->type != TAR_FILE)
    return 0;
  uint64_t stored = reader->pax.present & TAR_PAX_SIZE ? reader->pax.size : (uint64_t)header->size;
  if (stored > INT64_MAX)
    return tar_reader_malformed(reader, f, "the size is out of range");
  reader->data_left = stored;
  reader->padding = padding_of(stored);
  entry->size = stored;
  bool old_sparse = header->type == 'S';
  bool pax_sparse = (reader->pax.present & any_sparse) != 0 || reader->pax.sparse_offset_waits;
  if (old_sparse && pax_sparse)
    return tar_reader_malformed(reader, f, "two sparse maps");
  if (old_sparse) {
    entry->size = (uint64_t)header->sparse_size;
    reader->sparse = &reader->old_sparse;
    if (tar_reader_sparse_blocks(reader, header->sparse_continues, f) < 0)
      return -1;
  }
  if (pax_sparse && tar_reader_pax_sparse(reader, entry, f) < 0)
    return -1;
  if (entry->size > reader->limits.file_bytes)
    return tar_complain(f, TAR_OVER_LIMIT, reader->offset, "a file is too large");
  if (reader->sparse && !tar_sparse_check(reader->sparse, entry->size, reader->data_left))
    return tar_reader_malformed(reader, f, "a sparse map doesn't fit its file");
  if (!reader->sparse)
    reader->extent.length = stored;
  return 0;
}

static int take_entry(struct tar_reader *reader, const struct tar_header *header, struct tar_entry *entry,
                      struct failure *f) {
  if (++reader->entries > reader->limits.entries)
    return tar_complain(f, TAR_OVER_LIMIT, reader->offset, "the archive has too many entries");
  const struct tar_pax *pax = &reader->pax;
  if (choose_name(reader, &reader->path, &reader->long_path, reader->has_long_path, &pax->path, TAR_PAX_PATH,
                  &entry->path, f) < 0 ||
      choose_name(reader, &reader->link_path, &reader->long_link, reader->has_long_link, &pax->link_path,
                  TAR_PAX_LINK_PATH, &entry->link_path, f) < 0 ||
      choose_id(reader, header->uid, TAR_PAX_UID, pax->uid, reader->global.uid, &entry->uid, f) < 0 ||
      choose_id(reader, header->gid, TAR_PAX_GID, pax->gid, reader->global.gid, &entry->gid, f) < 0)
    return -1;
  int type = type_of(header->type, entry->path);
  if (type < 0) {
    const char text[] = {header->type, 0};
    return fail(f, TAR_MALFORMED, 0, "an entry of unknown type '", text, "': ", entry->path);
  }
  if ((uint64_t)header->device_major > UINT32_MAX || (uint64_t)header->device_minor > UINT32_MAX)
    return tar_reader_malformed(reader, f, "a device number is out of range");
  entry->type = (enum tar_type)type;
  entry->mode = (uint32_t)header->mode & 07777;
  entry->device_major = (uint32_t)header->device_major;
  entry->device_minor = (uint32_t)header->device_minor;
  entry->xattrs = &pax->xattrs;
  entry->offset = reader->offset;
  choose_mtime(reader, header->mtime, entry);
  return take_data(reader, header, entry, f) < 0 ? -1 : 1;
}

// One zero block was seen. A second ends the archive, as does the stream's end.
static int finish_archive(struct tar_reader *reader, struct failure *f) {
  tar_source_consume(&reader->source, TAR_BLOCK_SIZE);
  ssize_t here = tar_source_fill(&reader->source, TAR_BLOCK_SIZE);
  if (here < 0)
    return source_failed(reader, f);
  if (here >= (ssize_t)TAR_BLOCK_SIZE && !tar_block_is_zero(tar_source_at(&reader->source)))
    return tar_reader_malformed(reader, f, "one block of zeros between entries");
  // To the stream's end, so that whoever writes into it can finish and check a digest of the whole.
  return tar_source_drain(&reader->source) ? 0 : source_failed(reader, f);
}

int tar_next(struct tar_reader *reader, struct tar_entry *entry, struct failure *f) {
  if (finish_entry(reader, f) < 0)
    return -1;
  tar_pax_clear(&reader->pax);
  reader->has_long_path = reader->has_long_link = false;
  reader->offset = reader->source.offset;
  for (bool extended = false;; extended = true) {
    if (!extended) {
      ssize_t here = tar_source_fill(&reader->source, 1);
      if (here < 0)
        return source_failed(reader, f);
      if (here == 0)
        return 0; // concatenating tools leave the two blocks out
    }
    const unsigned char *block = tar_reader_peek(reader, f);
    if (!block)
      return -1;
    if (tar_block_is_zero(block))
      return extended ? tar_reader_malformed(reader, f, "an extended header with no entry after it")
                      : finish_archive(reader, f);
    struct tar_header header = {.path = &reader->path, .link_path = &reader->link_path};
    const char *wrong = tar_header_parse(&header, block, &reader->old_sparse);
    if (wrong)
      return tar_reader_malformed(reader, f, wrong);
    tar_source_consume(&reader->source, TAR_BLOCK_SIZE);
    int taken = take_extended(reader, &header, f);
    if (taken <= 0)
      return taken < 0 ? -1 : take_entry(reader, &header, entry, f);
  }
}

int tar_data(struct tar_reader *reader, struct tar_chunk *chunk, struct failure *f) {
  while (reader->extent.length == 0) {
    if (!reader->sparse || reader->next_extent == reader->sparse->count)
      return 0;
    reader->extent = reader->sparse->extents[reader->next_extent++];
  }
  size_t most = reader->extent.length < TAR_SOURCE_BUFFER ? (size_t)reader->extent.length : TAR_SOURCE_BUFFER;
  ssize_t some = tar_source_some(&reader->source, most);
  if (some <= 0) {
    if (some == 0)
      errno = 0;
    return source_failed(reader, f);
  }
  *chunk = (struct tar_chunk){reader->extent.offset, tar_source_at(&reader->source), (size_t)some};
  tar_source_consume(&reader->source, (size_t)some);
  reader->extent.offset += (uint64_t)some;
  reader->extent.length -= (uint64_t)some;
  reader->data_left -= (uint64_t)some;
  return 1;
}
