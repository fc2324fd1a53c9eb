// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target: the tar reader alone, and with HAKO_FUZZ_APPLY=<directory on
// a tmpfs> the whole of unpacking, one tree after another in that directory.
//
// The first byte of an input chooses how the archive comes in and what is done
// with it; checksums are made right, or nothing behind the first header would
// ever be reached. Beside it, whatever comes out must keep the promises that the
// applier relies on.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/rmtree.h"
#include "../worker/entry_name.h"
#include "../worker/key_set.h"
#include "../worker/tar_reader.h"
#include "../worker/unpack.h"

#define BLOCK 512u

// Small, so that the limits themselves are met.
static const struct tar_limits limits = {
    .archive_bytes = 1 << 20,
    .entries = 1000,
    .file_bytes = 1 << 24,
    .path_depth = 64,
    .header_bytes = 1 << 16,
    .xattr_bytes = 1 << 12,
};

struct input {
  const uint8_t *data;
  size_t length;
  size_t piece; // as much as one read gives
};

static ssize_t read_input(void *context, void *buffer, size_t length) {
  struct input *input = context;
  if (length > input->piece)
    length = input->piece;
  if (length > input->length)
    length = input->length;
  memcpy(buffer, input->data, length);
  input->data += length;
  input->length -= length;
  return (ssize_t)length;
}

// A checksum in every block that could be a header.
static void mend(uint8_t *data, size_t length) {
  for (size_t at = 0; at + BLOCK <= length; at += BLOCK) {
    uint8_t *block = data + at;
    if (memcmp(block + 257, "ustar", 5) != 0)
      continue;
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < BLOCK; i++)
      sum += i >= 148 && i < 156 ? 0 : block[i];
    char text[9];
    snprintf(text, sizeof text, "%06o", sum & 0777777);
    memcpy(block + 148, text, 7);
    block[155] = ' ';
  }
}

static void require(int holds, const char *what) {
  if (holds)
    return;
  fprintf(stderr, "broken promise: %s\n", what);
  abort();
}

static void check_name(const char *raw) {
  struct bytes clean = {0};
  uint32_t depth;
  if (!entry_name_clean(raw, &clean, &depth)) {
    const char *name = bytes_text(&clean);
    require(strlen(name) < 4096 && name[0] != '/', "a clean name is short and relative");
    for (const char *at = name; *at; at += strcspn(at, "/"), at += *at == '/') {
      size_t length = strcspn(at, "/");
      require(length > 0 && length <= 255, "components have 1 to 255 bytes");
      require(!(length == 2 && memcmp(at, "..", 2) == 0), "no component is ..");
    }
  }
  bytes_free(&clean);
}

static void check_entry(struct tar_reader *reader, const struct tar_entry *entry, int read_data) {
  require(entry->mode <= 07777 && entry->uid < UINT32_MAX && entry->gid < UINT32_MAX, "numbers are in range");
  require(entry->mtime_nanoseconds < 1000000000, "a second has 10^9 nanoseconds");
  require(entry->size <= limits.file_bytes, "the limit of a file's size holds");
  check_name(entry->path);
  check_name(entry->link_path);
  struct tar_xattr xattr;
  size_t xattrs = 0;
  for (size_t at = 0; tar_xattr_next(entry->xattrs, &at, &xattr);) {
    require(at <= entry->xattrs->length, "attributes end in their buffer");
    require(strlen(xattr.name) >= 1 && strlen(xattr.name) <= 255, "an attribute has a name");
    xattrs += xattr.length;
  }
  require(xattrs <= limits.xattr_bytes, "the limit of attributes holds");
  struct tar_chunk chunk;
  struct failure f;
  uint64_t end = 0;
  while (read_data && tar_data(reader, &chunk, &f) > 0) {
    require(chunk.length > 0, "a piece of data is not empty");
    require(chunk.offset >= end && chunk.offset + chunk.length <= entry->size, "data comes in order and fits its file");
    end = chunk.offset + chunk.length;
    volatile uint8_t touched = (uint8_t)(chunk.data[0] ^ chunk.data[chunk.length - 1]);
    (void)touched;
  }
}

static void read_only(struct input *input, int read_data) {
  struct tar_reader reader;
  struct tar_entry entry;
  struct failure f = {0};
  if (!tar_reader_init(&reader, read_input, input, &limits))
    return;
  int more;
  while ((more = tar_next(&reader, &entry, &f)) > 0)
    check_entry(&reader, &entry, read_data);
  require(more == 0 || f.operation[0] != 0, "a failure says what failed");
  tar_reader_free(&reader);
}

static void apply(struct input *input, uint8_t how, const char *directory) {
  int parent = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct failure f = {0};
  require(parent >= 0, "HAKO_FUZZ_APPLY is a directory");
  require(rmtree(parent, "root", &f) == 0 && mkdirat(parent, "root", 0755) == 0, "the last tree can be removed");
  int root = openat(parent, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const struct unpack_options options = {
      .at = "",
      .whiteouts = how % 3,
      .opaque_xattr = HAKO_OPAQUE_USER,
      .ownership = how / 3 % 2,
      .devices_optional = 1,
      .plain = how / 6 % 2,
      .temporary = how / 12 % 2 ? ".aside" : "",
      .limits = limits,
  };
  struct unpack_result result;
  f = (struct failure){0};
  int done = unpack(root, read_input, input, &options, &result, &f);
  require(done == 0 || f.operation[0] != 0, "a failure says what failed");
  struct stat status;
  require(fstatat(parent, "canary", &status, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT, "nothing beside the root");
  close(root);
  close(parent);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  return key_seed() ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1)
    return 0;
  uint8_t how = data[0];
  size_t length = size - 1;
  uint8_t *archive = malloc(length > 0 ? length : 1);
  if (!archive)
    return 0;
  memcpy(archive, data + 1, length);
  if (how & 0x80)
    mend(archive, length);
  struct input input = {archive, length, how & 0x40 ? 700 : SIZE_MAX};
  const char *directory = getenv("HAKO_FUZZ_APPLY");
  if (directory)
    apply(&input, how & 0x3f, directory);
  else
    read_only(&input, how & 1);
  free(archive);
  return 0;
}
