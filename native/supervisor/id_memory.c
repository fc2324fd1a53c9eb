// SPDX-License-Identifier: Apache-2.0
#include "id_memory.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../common/failure.h"
#include "../common/fd.h"
#include "../common/syscalls.h"

// Until the helper runs, which hangs on the machine alone.
#define BIRTH_MS 10000
// For a page that was swapped out.
#define PATIENCE_MS 1000
// With what a container can hold its supervisor up, in all, for each of its programs.
#define MOST_GIVEN_UP_ON 3

struct request {
  int memory;
  uint64_t address; // to read from
  size_t size;      // to read
  const struct memory_part *parts;
  size_t count;
};

// Once it is known to be the one that waits: its number may have become another's.
static int open_memory(const struct id_call *call) {
  char path[sizeof "/proc/" + DECIMAL_SIZE + sizeof "/mem"];
  char number[DECIMAL_SIZE];
  strcpy(path, "/proc/");
  strcat(path, decimal(number, (long)call->notification->pid));
  strcat(path, "/mem");
  cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
  uint64_t id = call->notification->id;
  if (fd < 0 || ioctl(call->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
    return -1;
  return steal_fd(&fd);
}

static bool write_parts(const struct request *request) {
  for (size_t i = 0; i < request->count; i++) {
    const struct memory_part *part = &request->parts[i];
    if (RETRY(pwrite(0, part->data, part->size, (off_t)part->address)) != (ssize_t)part->size)
      return false;
  }
  return true;
}

// It may wait for ever, beyond the reach of SIGKILL: nothing may hang on it.
__attribute__((noreturn)) static void help(const struct request *request, int answer) {
  char data[MOST_MEMORY + 1] = {0};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (dup2(request->memory, 0) < 0 || dup2(answer, 1) < 0 || sys_close_range(2, ~0u, 0) < 0 ||
      write_all(1, data, 1) < 0)
    _exit(1);
  bool done = request->count > 0
                  ? write_parts(request)
                  : RETRY(pread(0, data, request->size, (off_t)request->address)) == (ssize_t)request->size;
  if (done)
    write_all(1, data, request->size + 1);
  _exit(0);
}

static bool comes(int fd, int timeout_ms) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  return RETRY(poll(&wait, 1, timeout_ms)) == 1;
}

static bool take(int answer, void *data, size_t size, pid_t helper, unsigned *given_up_on) {
  char bytes[MOST_MEMORY + 1];
  bool born = comes(answer, BIRTH_MS) && read_all(answer, bytes, 1) == 1;
  if (!born || !comes(answer, PATIENCE_MS)) {
    *given_up_on += born;
    // The loop reaps it whenever it is gone.
    kill(helper, SIGKILL);
    return false;
  }
  bool done = read_all(answer, bytes, size + 1) == (ssize_t)size + 1;
  if (done && size > 0)
    memcpy(data, bytes, size);
  RETRY(waitpid(helper, NULL, 0));
  return done;
}

static bool ask(const struct id_call *call, struct request *request, void *data) {
  int ends[2];
  cleanup_fd int memory = *call->given_up_on < MOST_GIVEN_UP_ON ? open_memory(call) : -1;
  if (memory < 0 || pipe2(ends, O_CLOEXEC) < 0)
    return false;
  request->memory = memory;
  cleanup_fd int answer = ends[0];
  pid_t helper = fork();
  if (helper == 0)
    help(request, ends[1]);
  close(ends[1]);
  return helper > 0 && take(answer, data, request->size, helper, call->given_up_on);
}

bool id_memory_read(const struct id_call *call, uint64_t address, void *data, size_t size) {
  struct request request = {.address = address, .size = size};
  return size <= MOST_MEMORY && ask(call, &request, data);
}

bool id_memory_write(const struct id_call *call, const struct memory_part parts[], size_t count) {
  struct request request = {.parts = parts, .count = count};
  return ask(call, &request, NULL);
}
