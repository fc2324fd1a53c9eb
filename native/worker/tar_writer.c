// SPDX-License-Identifier: Apache-2.0
#include "tar_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../common/fd.h"

#define BLOCK 512u
#define NAME_FIELD 100u
#define MOST_ID 07777777u
#define MOST_SIZE 077777777777ull

struct header { // POSIX.1-2017, pax, "ustar Interchange Format"
  char name[NAME_FIELD];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link[NAME_FIELD];
  char magic[6];
  char version[2];
  char user[32];
  char group[32];
  char major[8];
  char minor[8];
  char prefix[155];
  char unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

int tar_write_flush(struct tar_writer *writer, struct failure *f) {
  size_t used = writer->used;
  writer->used = 0;
  return write_all(writer->fd, writer->buffer, used) < 0 ? fail(f, "write", errno, "archive") : 0;
}

int tar_write_data(struct tar_writer *writer, const void *data, size_t length, struct failure *f) {
  const unsigned char *at = data;
  writer->bytes += length;
  while (length > 0) {
    if (writer->used == sizeof writer->buffer && tar_write_flush(writer, f) < 0)
      return -1;
    size_t room = sizeof writer->buffer - writer->used;
    size_t piece = length < room ? length : room;
    memcpy(writer->buffer + writer->used, at, piece);
    writer->used += piece;
    at += piece;
    length -= piece;
  }
  return 0;
}

static int write_zeros(struct tar_writer *writer, size_t length, struct failure *f) {
  static const unsigned char zeros[2 * BLOCK];
  return tar_write_data(writer, zeros, length, f);
}

int tar_write_padding(struct tar_writer *writer, struct failure *f) {
  return write_zeros(writer, (size_t)(-writer->bytes % BLOCK), f);
}

int tar_write_end(struct tar_writer *writer, struct failure *f) {
  return write_zeros(writer, 2 * BLOCK, f) < 0 ? -1 : tar_write_flush(writer, f);
}

void tar_writer_free(struct tar_writer *writer) {
  bytes_free(&writer->records);
}

// "<length> <key>=<value>\n": the length counts its own digits.
static int add_record(struct tar_writer *writer, const char *key, const void *value, size_t length,
                      struct failure *f) {
  size_t body = 1 + strlen(key) + 1 + length + 1;
  size_t digits = 1;
  for (size_t most = 9; body + digits > most; most = most * 10 + 9)
    digits++;
  char head[DECIMAL_SIZE];
  const char *text = decimal(head, (long long)(body + digits));
  struct bytes *records = &writer->records;
  bool ok = bytes_append(records, text, strlen(text)) && bytes_append(records, " ", 1) &&
            bytes_append(records, key, strlen(key)) && bytes_append(records, "=", 1) &&
            bytes_append(records, value, length) && bytes_append(records, "\n", 1);
  return ok ? 0 : fail(f, "memory", ENOMEM, "PAX header");
}

static int add_number(struct tar_writer *writer, const char *key, uint64_t value, struct failure *f) {
  char text[DECIMAL_SIZE];
  const char *digits = decimal(text, (long long)value);
  return add_record(writer, key, digits, strlen(digits), f);
}

static int add_time(struct tar_writer *writer, struct timespec time, struct failure *f) {
  char text[48];
  // Before the epoch the fraction counts forward from the second below, but is written with the sign of the whole.
  long long seconds = time.tv_sec;
  long nanoseconds = time.tv_nsec;
  bool negative = seconds < 0;
  if (negative && nanoseconds > 0) {
    seconds += 1;
    nanoseconds = 1000000000 - nanoseconds;
  }
  int length = snprintf(text, sizeof text, "%s%llu.%09ld", negative ? "-" : "",
                        (unsigned long long)(negative ? -seconds : seconds), nanoseconds);
  return add_record(writer, "mtime", text, (size_t)length, f);
}

int tar_write_xattr(struct tar_writer *writer, const char *name, const void *value, size_t length,
                    struct failure *f) {
  char key[sizeof "SCHILY.xattr." + 255] = "SCHILY.xattr.";
  strncat(key, name, 255);
  return add_record(writer, key, value, length, f);
}

// The digits that fit; what doesn't is in a PAX record, and zero here.
static void put_octal(char *field, size_t width, uint64_t value, uint64_t most) {
  snprintf(field, width, "%0*llo", (int)width - 1, (unsigned long long)(value <= most ? value : 0));
}

static int write_header(struct tar_writer *writer, const struct tar_output *output, const char *name, uint64_t size,
                        struct failure *f) {
  struct header header = {.type = output->type, .magic = "ustar", .version = {'0', '0'}};
  strncpy(header.name, name, sizeof header.name - 1);
  strncpy(header.link, output->link_path, sizeof header.link - 1);
  put_octal(header.mode, sizeof header.mode, output->mode & 07777, 07777);
  put_octal(header.uid, sizeof header.uid, output->uid, MOST_ID);
  put_octal(header.gid, sizeof header.gid, output->gid, MOST_ID);
  put_octal(header.size, sizeof header.size, size, MOST_SIZE);
  put_octal(header.mtime, sizeof header.mtime, output->mtime.tv_sec < 0 ? 0 : (uint64_t)output->mtime.tv_sec,
            MOST_SIZE);
  put_octal(header.major, sizeof header.major, output->device_major, MOST_ID);
  put_octal(header.minor, sizeof header.minor, output->device_minor, MOST_ID);
  memset(header.checksum, ' ', sizeof header.checksum);
  unsigned sum = 0;
  for (size_t i = 0; i < sizeof header; i++)
    sum += ((const unsigned char *)&header)[i];
  snprintf(header.checksum, sizeof header.checksum, "%06o", sum);
  header.checksum[7] = ' ';
  return tar_write_data(writer, &header, sizeof header, f);
}

static int write_records(struct tar_writer *writer, struct failure *f) {
  const struct tar_output extended = {.type = 'x', .link_path = "", .mode = 0644};
  int result = 0;
  if (writer->records.length > 0)
    result = write_header(writer, &extended, "PaxHeaders/entry", writer->records.length, f) < 0 ||
                     tar_write_data(writer, writer->records.data, writer->records.length, f) < 0 ||
                     tar_write_padding(writer, f) < 0
                 ? -1
                 : 0;
  writer->records.length = 0;
  return result;
}

// PAX sparse format 1.0: the map as lines of decimal numbers, padded to a block.
static bool sparse_lines(const struct tar_sparse *sparse, struct bytes *lines) {
  char text[64];
  int length = snprintf(text, sizeof text, "%zu\n", sparse->count);
  bool ok = bytes_append(lines, text, (size_t)length);
  for (size_t i = 0; ok && i < sparse->count; i++) {
    length = snprintf(text, sizeof text, "%llu\n%llu\n", (unsigned long long)sparse->extents[i].offset,
                      (unsigned long long)sparse->extents[i].length);
    ok = bytes_append(lines, text, (size_t)length);
  }
  static const char zeros[BLOCK];
  return ok && bytes_append(lines, zeros, -lines->length % BLOCK);
}

static int add_records(struct tar_writer *writer, const struct tar_output *output, uint64_t stored,
                       struct failure *f) {
  bool long_path = strlen(output->path) >= NAME_FIELD;
  if (output->sparse) {
    if (add_number(writer, "GNU.sparse.major", 1, f) < 0 || add_number(writer, "GNU.sparse.minor", 0, f) < 0 ||
        add_record(writer, "GNU.sparse.name", output->path, strlen(output->path), f) < 0 ||
        add_number(writer, "GNU.sparse.realsize", output->size, f) < 0)
      return -1;
  } else if (long_path && add_record(writer, "path", output->path, strlen(output->path), f) < 0) {
    return -1;
  }
  if (strlen(output->link_path) >= NAME_FIELD &&
      add_record(writer, "linkpath", output->link_path, strlen(output->link_path), f) < 0)
    return -1;
  if (stored > MOST_SIZE && add_number(writer, "size", stored, f) < 0)
    return -1;
  if (output->uid > MOST_ID && add_number(writer, "uid", output->uid, f) < 0)
    return -1;
  if (output->gid > MOST_ID && add_number(writer, "gid", output->gid, f) < 0)
    return -1;
  bool plain_time = output->mtime.tv_nsec == 0 && output->mtime.tv_sec >= 0 &&
                    (uint64_t)output->mtime.tv_sec <= MOST_SIZE;
  return plain_time ? 0 : add_time(writer, output->mtime, f);
}

int tar_write_entry(struct tar_writer *writer, const struct tar_output *output, struct failure *f) {
  struct bytes lines = {0};
  uint64_t stored = output->size;
  int result = 0;
  if (output->sparse) {
    if (!sparse_lines(output->sparse, &lines))
      result = fail(f, "memory", ENOMEM, "sparse map");
    stored = lines.length;
    for (size_t i = 0; i < output->sparse->count; i++)
      stored += output->sparse->extents[i].length;
  }
  if (result == 0 && (add_records(writer, output, stored, f) < 0 || write_records(writer, f) < 0 ||
                      write_header(writer, output, output->path, stored, f) < 0 ||
                      tar_write_data(writer, lines.data, lines.length, f) < 0))
    result = -1;
  bytes_free(&lines);
  return result;
}
