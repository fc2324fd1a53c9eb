// SPDX-License-Identifier: Apache-2.0
//
// The maps of sparse files, in whichever of the four forms GNU tar has had.
#include <errno.h>

#include "tar_header.h"
#include "tar_reader_parts.h"

int tar_reader_sparse_blocks(struct tar_reader *reader, bool continues, struct failure *f) {
  while (continues) {
    const unsigned char *block = tar_reader_peek(reader, f);
    if (!block)
      return -1;
    const char *wrong = tar_header_parse_sparse_block(block, &reader->old_sparse, &continues);
    if (wrong)
      return tar_reader_malformed(reader, f, wrong);
    tar_source_consume(&reader->source, TAR_BLOCK_SIZE);
  }
  return 0;
}

// PAX sparse format 1.0 keeps the map in front of the data: a count, then pairs, one decimal number a line, padded
// to a block.
static int read_sparse_lines(struct tar_reader *reader, struct failure *f) {
  struct tar_sparse *map = &reader->pax.sparse_map;
  map->count = 0;
  uint64_t numbers = 0; // read so far; the first is the count
  uint64_t wanted = 1;
  uint64_t value = 0;
  uint64_t extent_offset = 0;
  unsigned digits = 0;
  while (numbers < wanted) {
    if (reader->data_left < TAR_BLOCK_SIZE)
      return tar_reader_malformed(reader, f, "a sparse map is longer than the file's data");
    const unsigned char *block = tar_reader_peek(reader, f);
    if (!block)
      return -1;
    for (size_t i = 0; i < TAR_BLOCK_SIZE && numbers < wanted; i++) {
      if (block[i] >= '0' && block[i] <= '9' && digits < 19) {
        value = value * 10 + (uint64_t)(block[i] - '0');
        digits++;
        continue;
      }
      if (block[i] != '\n' || digits == 0)
        return tar_reader_malformed(reader, f, "a number in a sparse map is malformed");
      if (numbers == 0) {
        if (value > TAR_SPARSE_MOST)
          return tar_complain(f, TAR_OVER_LIMIT, reader->offset, "a sparse map has over 1,048,576 extents");
        wanted = 1 + 2 * value;
      } else if (numbers % 2 == 1) {
        extent_offset = value;
      } else if (!tar_sparse_add(map, extent_offset, value)) {
        return fail(f, "memory", ENOMEM, "sparse map");
      }
      numbers++;
      value = digits = 0;
    }
    tar_source_consume(&reader->source, TAR_BLOCK_SIZE);
    reader->data_left -= TAR_BLOCK_SIZE;
  }
  return 0;
}

int tar_reader_pax_sparse(struct tar_reader *reader, struct tar_entry *entry, struct failure *f) {
  const struct tar_pax *pax = &reader->pax;
  const unsigned given = pax->present;
  uint64_t major = given & TAR_PAX_SPARSE_MAJOR ? pax->sparse_major : 0;
  uint64_t minor = given & TAR_PAX_SPARSE_MINOR ? pax->sparse_minor : 0;
  bool map_in_data = major == 1 && minor == 0;
  bool map_in_header = major == 0 && minor <= 1 && (given & TAR_PAX_SPARSE_MAP) && !pax->sparse_offset_waits;
  if (!(given & TAR_PAX_SPARSE_SIZE) || !(map_in_data || map_in_header))
    return tar_reader_malformed(reader, f, "an incomplete or unknown sparse format");
  if (given & TAR_PAX_SPARSE_NAME)
    entry->path = bytes_text(&pax->sparse_name);
  entry->size = pax->sparse_size;
  reader->sparse = &pax->sparse_map;
  return map_in_data ? read_sparse_lines(reader, f) : 0;
}
