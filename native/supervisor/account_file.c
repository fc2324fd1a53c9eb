// SPDX-License-Identifier: Apache-2.0
#include "account_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "root.h"

bool parse_id(const char *text, uint32_t *id) {
  uint64_t value = 0;
  if (!*text || (text[0] == '0' && text[1]))
    return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9')
      return false;
    value = value * 10 + (uint64_t)(*text - '0');
    if (value > INT32_MAX)
      return false;
  }
  *id = (uint32_t)value;
  return true;
}

static int fail_file(struct account_file *file, int errnum, const char *what) {
  file->failed = true;
  return fail(file->failure, "user", errnum, file->path, what);
}

int account_file_open(struct account_file *file, int root, const char *path, struct failure *failure) {
  file->path = path;
  file->failure = failure;
  file->failed = false;
  file->total = file->at = file->filled = 0;
  file->separator = '\n';
  file->fd = -1;
  // Looked at before it is opened: opening a device can already do something.
  cleanup_fd int seen = root_open(root, path, O_PATH);
  struct stat status;
  if (seen < 0)
    return errno == ENOENT || errno == ENOTDIR ? 1 : fail_file(file, errno, " can't be opened");
  if (fstat(seen, &status) < 0 || !S_ISREG(status.st_mode))
    return fail_file(file, 0, " is not an ordinary file");
  // There is no procfs to go from one descriptor to the other by. Who swaps a FIFO in
  // meanwhile does not hold us.
  file->fd = root_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (file->fd < 0)
    return fail_file(file, errno, " can't be opened");
  if (fstat(file->fd, &status) < 0 || !S_ISREG(status.st_mode))
    fail_file(file, 0, " is not an ordinary file");
  else if (status.st_size > ACCOUNT_FILE_MOST)
    fail_file(file, EFBIG, " is larger than 16 MiB");
  if (file->failed)
    account_file_close(file);
  return file->failed ? -1 : 0;
}

void account_file_close(struct account_file *file) {
  close_fd(&file->fd);
}

// 0: the end, or a failure. A NUL in the file ends it too: no name has one.
static char next(struct account_file *file) {
  if (file->at == file->filled) {
    if (file->failed)
      return 0;
    ssize_t got = RETRY(read(file->fd, file->buffer, sizeof file->buffer));
    file->at = 0;
    file->filled = got > 0 ? (uint32_t)got : 0;
    file->total += file->filled;
    if (got < 0)
      fail_file(file, errno, " can't be read");
    // It may grow while it is read.
    else if (file->total > ACCOUNT_FILE_MOST)
      fail_file(file, EFBIG, " is larger than 16 MiB");
    if (file->filled == 0 || file->failed) {
      file->filled = 0;
      return 0;
    }
  }
  return (char)file->buffer[file->at++];
}

bool account_file_field(struct account_file *file, bool lists) {
  if (file->separator == '\n' || file->separator == 0)
    return false;
  uint32_t used = 0;
  file->overlong = false;
  char c = next(file);
  for (; c != 0 && c != '\n' && c != ':' && !(lists && c == ','); c = next(file)) {
    if (used + 1 < sizeof file->field)
      file->field[used++] = c;
    else
      file->overlong = true;
  }
  file->field[used] = 0;
  file->separator = c;
  return !file->failed;
}

bool account_file_next_line(struct account_file *file) {
  while (file->separator != '\n' && file->separator != 0)
    file->separator = next(file);
  if (file->separator == 0)
    return false;
  // Fields of the next line may be read.
  file->separator = ':';
  return true;
}
