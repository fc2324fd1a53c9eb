// SPDX-License-Identifier: Apache-2.0
//
// OOM kills as they happen. Version 2 notifies whoever polls the group's
// memory.events; version 1 an eventfd that was written to cgroup.event_control
// (cgroup-v1/memory.rst, 10). Without either they are told of at the end.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../common/fd.h"
#include "../protocol.h"
#include "supervisor.h"

#define NS_PER_MS 1000000ll
#define MOST_WAIT (640 * NS_PER_MS)

static void look(struct watch *watch, uint32_t events);
static void look_again(struct timer *timer);

static struct watch notice = {.fd = -1, .ready = look};
static struct timer again = {.expired = look_again};
static int64_t wait_ns;

void oom_tell(void) {
  uint64_t kills = container_oom_kills(&supervisor.container);
  if (kills <= supervisor.oom_kills)
    return;
  supervisor.oom_kills = kills;
  uint8_t frame[WIRE_HEADER + sizeof kills];
  struct wire_writer writer = wire_begin(frame, sizeof frame, HAKO_OOM);
  wire_put_u64(&writer, kills);
  size_t length = wire_end(&writer);
  for (struct session *session = supervisor.task.sessions, *next; session; session = next) {
    next = session->task_next;
    session_send_frame(session, frame, length);
  }
}

static void look_again(struct timer *timer) {
  uint64_t before = supervisor.oom_kills;
  oom_tell();
  wait_ns *= 2;
  if (supervisor.oom_kills == before && wait_ns <= MOST_WAIT)
    loop_set_timer(timer, wait_ns);
}

static void look(struct watch *watch, uint32_t events) {
  (void)events;
  uint64_t count;
  // Of memory.events reading the count is what takes the notice.
  (void)!read(watch->fd, &count, sizeof count);
  uint64_t before = supervisor.oom_kills;
  oom_tell();
  // Version 1 gives notice before it kills.
  if (supervisor.oom_kills == before) {
    wait_ns = 5 * NS_PER_MS;
    loop_set_timer(&again, wait_ns);
  }
}

static int open_legacy_notice(const char *file, size_t directory) {
  char path[PATH_MAX];
  char text[2 * DECIMAL_SIZE];
  char number[DECIMAL_SIZE];
  if (directory + sizeof "cgroup.event_control" > sizeof path)
    return -1;
  memcpy(path, file, directory);
  strcpy(path + directory, "cgroup.event_control");
  cleanup_fd int control = open(path, O_WRONLY | O_CLOEXEC);
  cleanup_fd int fd = control < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0)
    return -1;
  strcpy(text, decimal(number, fd));
  strcat(text, " ");
  strcat(text, decimal(number, supervisor.container.oom_fd));
  return write_all(control, text, strlen(text)) < 0 ? -1 : steal_fd(&fd);
}

void oom_watch(const struct start_request *request) {
  const char *slash = strrchr(request->oom_file, '/');
  if (supervisor.container.oom_fd < 0 || !slash)
    return;
  bool legacy = strcmp(slash, "/memory.oom_control") == 0;
  notice.fd = legacy ? open_legacy_notice(request->oom_file, (size_t)(slash + 1 - request->oom_file))
                     : fcntl(supervisor.container.oom_fd, F_DUPFD_CLOEXEC, 0);
  if (notice.fd >= 0 && loop_watch(&notice, legacy ? EPOLLIN : EPOLLPRI) < 0)
    loop_close(&notice);
}

void oom_close(void) {
  loop_clear_timer(&again);
  loop_close(&notice);
}
