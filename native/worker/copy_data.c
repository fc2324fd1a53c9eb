// SPDX-License-Identifier: Apache-2.0
#include "copy_data.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../common/fd.h"
#include "../common/syscalls.h"

#define BUFFER_SIZE ((size_t)128 << 10)

static bool not_possible(int errnum) {
  return errnum == EOPNOTSUPP || errnum == ENOTTY || errnum == EXDEV || errnum == EINVAL || errnum == ENOSYS;
}

static int copy_by_hand(int from, int to, off_t at, off_t end) {
  static char buffer[BUFFER_SIZE];
  while (at < end) {
    size_t want = end - at < (off_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer;
    ssize_t got = RETRY(pread(from, buffer, want, at));
    if (got <= 0)
      return got < 0 ? -1 : 0; // cut off meanwhile
    for (ssize_t done = 0; done < got;) {
      ssize_t written = RETRY(pwrite(to, buffer + done, (size_t)(got - done), at + done));
      if (written < 0)
        return -1;
      done += written;
    }
    at += got;
  }
  return 0;
}

static int copy_extent(struct copy_data *state, int from, int to, off_t at, off_t end) {
  state->copied += (uint64_t)(end - at);
  while (at < end && !state->cannot_offload) {
    off_t in = at;
    off_t out = at;
    ssize_t got = syscall(SYS_copy_file_range, from, &in, to, &out, (size_t)(end - at), 0);
    if (got == 0)
      return 0;
    if (got > 0)
      at += got;
    else if (not_possible(errno))
      state->cannot_offload = true;
    else if (errno != EINTR)
      return -1;
  }
  return copy_by_hand(from, to, at, end);
}

int copy_data(struct copy_data *state, int from, int to, uint64_t size) {
  if (size == 0)
    return 0;
  if (!state->cannot_share) {
    if (ioctl(to, FICLONE, from) == 0) {
      state->shared += size;
      return 0;
    }
    if (!not_possible(errno))
      return -1;
    state->cannot_share = true;
  }
  // The size first, so that a hole at the end needs no care.
  if (ftruncate(to, (off_t)size) < 0)
    return -1;
  for (off_t at = 0; at < (off_t)size;) {
    off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0)
      return errno == ENXIO ? 0 : -1; // nothing but a hole is left
    off_t hole = lseek(from, data, SEEK_HOLE);
    if (hole < 0 || copy_extent(state, from, to, data, hole < (off_t)size ? hole : (off_t)size) < 0)
      return -1;
    at = hole;
  }
  return 0;
}
