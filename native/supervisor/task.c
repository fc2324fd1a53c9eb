// SPDX-License-Identifier: Apache-2.0
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "../protocol.h"
#include "input.h"
#include "output.h"
#include "reaper.h"
#include "rfc3339.h"

// Others may hold the pipes after the process has ended (what an exec left in
// the background; a shared pid namespace). What they still say is taken while
// they keep talking, but not for longer than this.
#define NS_PER_MS 1000000
#define SILENCE (100 * NS_PER_MS)
#define MOST_DRAIN (2000ll * NS_PER_MS)

static void exit_ready(struct watch *watch, uint32_t events) {
  (void)watch, (void)events;
  reap_children();
}

static bool has_streams(const struct task *task) {
  return task->streams[0].watch.fd >= 0 || task->streams[1].watch.fd >= 0;
}

static void finish(struct task *task) {
  loop_clear_timer(&task->drain);
  stream_close(&task->streams[0]);
  stream_close(&task->streams[1]);
  task->ended(task);
}

// Whether there is more to be had now.
static bool has_output(const struct stream *stream) {
  if (stream->watch.fd < 0)
    return false;
  if (!stream->task->is_tty && stream->left_behind > END_OF_FILE)
    return true;
  struct pollfd ready = {.fd = stream->watch.fd, .events = POLLIN};
  bool watched = !stream->watch.muted;
  return watched && monotonic_ns() < stream->task->drain_deadline && poll(&ready, 1, 0) == 1;
}

static void drain_expired(struct timer *timer) {
  struct task *task = LOOP_OWNER(timer, struct task, drain);
  if (has_output(&task->streams[0]) || has_output(&task->streams[1]))
    loop_set_timer(&task->drain, SILENCE);
  else
    finish(task);
}

void task_stream_read(struct task *task) {
  if (!task->exited)
    return;
  if (!has_streams(task))
    finish(task);
  else
    loop_set_timer(&task->drain, SILENCE);
}

void task_exited(struct task *task, int code, int signal) {
  task->exited = true;
  task->status = (struct exit_status){.code = code, .signal = signal, .finished_at = realtime_ns()};
  task->drain_deadline = monotonic_ns() + MOST_DRAIN;
  loop_close(&task->exit);
  input_close(&task->input);
  close_fd(&task->tty_slave);
  stream_process_ended(&task->streams[0]);
  stream_process_ended(&task->streams[1]);
  task_stream_read(task);
}

// With a slave of our own open, the tty does not hang up while the container has
// it closed for a moment (an init that hands it to a getty).
static int open_slave(int master) {
  return master < 0 ? -1 : ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

int task_watch(struct task *task, const struct process *process, bool feeds) {
  int master = process->tty_master;
  task->process = *process;
  task->is_tty = master >= 0;
  task->tty_slave = open_slave(master);
  task->exit = (struct watch){.fd = process->pidfd, .ready = exit_ready};
  task->drain = (struct timer){.expired = drain_expired};
  int feed = process->stdin_w;
  // epoll knows a descriptor by number and file, so writing has one of its own.
  if (task->is_tty && feeds)
    feed = fcntl(master, F_DUPFD_CLOEXEC, 0);
  input_open(&task->input, task, feed);
  int out = stream_open(&task->streams[0], task, 1, task->is_tty ? master : process->stdout_r);
  int err = stream_open(&task->streams[1], task, 2, process->stderr_r);
  return out < 0 || err < 0 || (task->is_tty && feeds && feed < 0) ? -1 : loop_watch(&task->exit, EPOLLIN);
}

void task_join(struct task *task, struct session *session, uint32_t attach) {
  session->task = task;
  session->attach = attach;
  session->task_next = task->sessions;
  task->sessions = session;
}

void task_leave(struct session *session) {
  struct task *task = session->task;
  struct session **link = &task->sessions;
  while (*link != session)
    link = &(*link)->task_next;
  *link = session->task_next;
  input_forget(&task->input, session);
  if ((session->attach & HAKO_ATTACH_STDIN) && task->stdin_once)
    input_end(&task->input);
  if (session->ends_task && !task->exited)
    task_signal(task, SIGKILL);
  session->task = NULL;
  task_resume(task);
}

void task_resume(struct task *task) {
  stream_update(&task->streams[0]);
  stream_update(&task->streams[1]);
}

void task_signal(struct task *task, int signal) {
  if (task->exit.fd >= 0)
    sys_pidfd_send_signal(task->exit.fd, signal);
}

void task_resize(struct task *task, uint16_t rows, uint16_t columns) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  if (task->is_tty)
    ioctl(task->streams[0].watch.fd, TIOCSWINSZ, &size);
}

void task_close(struct task *task) {
  loop_clear_timer(&task->drain);
  loop_close(&task->exit);
  input_close(&task->input);
  stream_close(&task->streams[0]);
  stream_close(&task->streams[1]);
  close_fd(&task->tty_slave);
}
