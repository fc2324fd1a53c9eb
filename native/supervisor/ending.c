// SPDX-License-Identifier: Apache-2.0
//
// The end of a supervisor. However its peers behave, it is over in bounded time.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>

#include "../common/fd.h"
#include "../protocol.h"
#include "answers.h"
#include "cgroup.h"
#include "control_socket.h"
#include "exit_record.h"
#include "prepared.h"
#include "supervisor.h"

#define NS_PER_S 1000000000ll
#define STOP_TIMEOUT (10 * NS_PER_S) // Docker's, for a container that was asked to stop
#define MOST_WITHOUT_PROGRESS (2 * NS_PER_S)
#define MOST_FAREWELL (10 * NS_PER_S)

static int exit_status;
static bool timed_out;
static int64_t ended_at;
static uint64_t last_progress;

void supervisor_signal(int signal) {
  task_signal(&supervisor.task, signal);
  if (signal == SIGKILL)
    container_thaw(&supervisor.container);
}

static void stop_expired(struct timer *timer) {
  (void)timer;
  supervisor_signal(SIGKILL);
}

static struct timer stop = {.expired = stop_expired};

// Whoever ends the supervisor (a host that shuts down, mostly) means the
// container, which gets the time to stop that `docker stop` would give it.
void supervisor_terminate(void) {
  if (supervisor.phase == PHASE_BORN) {
    supervisor_end(1);
  } else if (supervisor.phase == PHASE_PREPARED) {
    prepared_terminate();
  } else if (supervisor.phase == PHASE_RUNNING && stop.deadline == 0) {
    supervisor_signal(SIGTERM);
    container_thaw(&supervisor.container);
    loop_set_timer(&stop, STOP_TIMEOUT);
  }
}

void supervisor_reaped(pid_t pid, int code, int signal) {
  if (prepared_reaped(pid, signal))
    return;
  struct task *exec = exec_find(pid);
  if (exec) {
    exec_reaped(exec, code, signal);
  } else if (pid == supervisor.task.process.pid && !supervisor.task.exited) {
    // A pid namespace takes its processes along; a shared one does not.
    execs_kill();
    task_exited(&supervisor.task, code, signal);
  }
}

// Of sessions that take their last frames, and of a journal's reader.
static uint64_t progress(void) {
  return sessions_progress() + (supervisor.sink ? sink_counts(supervisor.sink).written : 0);
}

static void farewell_expired(struct timer *timer) {
  bool stuck = progress() == last_progress;
  last_progress = progress();
  if (stuck || monotonic_ns() - ended_at >= MOST_FAREWELL)
    timed_out = true;
  else
    loop_set_timer(timer, MOST_WITHOUT_PROGRESS);
}

static struct timer farewell = {.expired = farewell_expired};

void supervisor_end(int status) {
  if (supervisor.phase == PHASE_ENDED)
    return;
  supervisor.phase = PHASE_ENDED;
  exit_status = status;
  ended_at = monotonic_ns();
  last_progress = progress();
  loop_set_timer(&farewell, MOST_WITHOUT_PROGRESS);
}

static bool is_anyone_waited_for(void) {
  return sessions_open() > 0 || supervisor.execs || (supervisor.sink && sink_is_blocked(supervisor.sink));
}

bool supervisor_is_over(int *status) {
  *status = exit_status;
  return supervisor.phase == PHASE_ENDED && (timed_out || !is_anyone_waited_for());
}

static void complain(const char *what) {
  struct failure failure;
  fail(&failure, "exit-record", errno, "hako-supervisor: ", what, ": ", strerror(errno), "\n");
  write_all(STDERR_FILENO, failure.detail, strlen(failure.detail));
}

// What outlasts us is on the disk before anybody is told; what takes time (cgroups
// that are not empty) comes after.
void supervisor_container_ended(struct task *task) {
  loop_clear_timer(&stop);
  // Who is told of the end may unmount what this is a file of.
  close_fd(&supervisor.container.null);
  sink_end(supervisor.sink);
  supervisor_wait_for_sink();
  oom_tell();
  oom_close();
  task->status.oom_killed = supervisor.oom_kills > 0;
  if (exit_record_write(HAKO_FD_STATE, &task->status, supervisor.flags & HAKO_START_DURABLE) < 0)
    complain("writing " HAKO_EXIT_RECORD);
  // Before the answer: after it the next supervisor may bind the same name.
  control_socket_last_call(HAKO_FD_STATE);
  bool cleared = cgroup_remove_empty(&supervisor.container);
  if (cleared)
    flock(HAKO_FD_STATE, LOCK_UN);
  answer_exited(task, cleared);
  if (!cleared) {
    container_cleanup(&supervisor.container);
    flock(HAKO_FD_STATE, LOCK_UN);
  }
  // At the latest the end of a session says that nothing of the container is left in the kernel.
  sessions_dismiss(task);
  supervisor_end(0);
}
