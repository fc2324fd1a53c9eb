// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "../protocol.h"
#include "answers.h"
#include "cgroup.h"
#include "handshake.h"
#include "supervisor.h"

// Long enough for a host under load; whoever waits for it holds up nobody else.
#define EXEC_TIMEOUT_NS 10000000000ll

struct exec {
  struct task task;
  char id[MOST_EXEC_ID + 1];
  // Until execve has succeeded.
  bool starting;
  uint64_t oom_kills; // of the container when it came
  bool feeds;
  struct process process;
  struct handshake handshake;
  struct watch watch; // handshake.supervisor
  struct timer timeout;
};

static void exec_free(struct exec *exec) {
  struct task **link = &supervisor.execs;
  while (*link != &exec->task)
    link = &(*link)->next;
  *link = exec->task.next;
  supervisor.exec_count--;
  task_close(&exec->task);
  free(exec);
}

static void exec_ended(struct task *task) {
  struct exec *exec = LOOP_OWNER(task, struct exec, task);
  // Which of its processes the kernel killed is not told.
  task->status.oom_killed =
      task->status.signal == SIGKILL && container_oom_kills(&supervisor.container) > exec->oom_kills;
  answer_exited(task, false);
  sessions_dismiss(task);
  exec_free(exec);
}

// The task is made before the process, which nobody could watch without it.
static struct exec *exec_new(void) {
  struct exec *exec = malloc(sizeof *exec);
  if (!exec)
    return NULL;
  *exec = (struct exec){
      .task = TASK_EMPTY, .starting = true, .oom_kills = supervisor.oom_kills, .watch.fd = -1};
  exec->task.ended = exec_ended;
  exec->task.stdin_once = true;
  exec->task.next = supervisor.execs;
  supervisor.execs = &exec->task;
  supervisor.exec_count++;
  return exec;
}

static void exec_failed(struct exec *exec, const struct failure *failure) {
  for (struct session *session; (session = exec->task.sessions) != NULL;) {
    session->ends_task = false; // there is none
    task_leave(session);
    session_send_failure(session, failure);
    session_finish(session);
  }
  exec_free(exec);
}

static void settled(struct exec *exec) {
  exec->starting = false;
  loop_clear_timer(&exec->timeout);
  loop_close(&exec->watch);
  exec->handshake.supervisor = -1; // which that was
  handshake_close(&exec->handshake);
  // From here on task_watch's, or container_abandon's.
  exec->task.exit.fd = -1;
}

static void give_up(struct exec *exec, const struct failure *failure) {
  settled(exec);
  container_abandon(&exec->process);
  exec_failed(exec, failure);
}

// False: it has failed, and is gone.
static bool started(struct exec *exec) {
  settled(exec);
  struct failure failure;
  if (supervisor_emulate_ids(&exec->process) < 0) {
    fail(&failure, "memory", errno, "the process's calls could not be answered");
    container_abandon(&exec->process);
    exec_failed(exec, &failure);
    return false;
  }
  if (task_watch(&exec->task, &exec->process, exec->feeds) < 0) {
    fail(&failure, "memory", errno, "the process could not be watched");
    task_signal(&exec->task, SIGKILL); // and is reaped as an orphan
    exec_failed(exec, &failure);
    return false;
  }
  // What it has sent meanwhile is for the program.
  for (struct session *session = exec->task.sessions, *next; session; session = next) {
    next = session->task_next;
    answer_started(session, &exec->process);
    session_hold_input(session, false);
  }
  return true;
}

// Whether it runs. False: not yet; or it has failed, and is gone.
static bool advance(struct exec *exec) {
  struct failure failure;
  int result = container_executed(&exec->process, &exec->handshake, &failure);
  if (result == 0)
    return started(exec);
  if (result < 0)
    give_up(exec, &failure);
  // A tracer in the container can keep its death from us, so that is not waited for here.
  else if (result == HANDSHAKE_DIED)
    loop_mute(&exec->watch);
  return false;
}

static void handshake_ready(struct watch *watch, uint32_t events) {
  (void)events;
  advance(LOOP_OWNER(watch, struct exec, watch));
}

static void timed_out(struct timer *timer) {
  struct failure failure;
  handshake_timed_out(&failure);
  give_up(LOOP_OWNER(timer, struct exec, timeout), &failure);
}

static int begin(struct exec *exec, const struct exec_request *request, struct failure *failure) {
  if (container_exec(&supervisor.container, request, &exec->process, &exec->handshake, failure) < 0)
    return -1;
  exec->feeds = request->flags & HAKO_EXEC_STDIN;
  exec->task.process.pid = exec->process.pid;
  exec->task.exit.fd = exec->process.pidfd; // it can be killed; that it has ended SIGCHLD tells
  exec->watch = (struct watch){.fd = exec->handshake.supervisor, .ready = handshake_ready};
  exec->timeout = (struct timer){.expired = timed_out};
  loop_set_timer(&exec->timeout, EXEC_TIMEOUT_NS);
  if (loop_watch(&exec->watch, EPOLLIN) == 0)
    return 0;
  fail(failure, "memory", errno, "the process could not be watched");
  settled(exec);
  container_abandon(&exec->process);
  return -1;
}

static void run(struct session *session, const struct exec_request *request, struct failure *failure) {
  struct exec *exec = exec_new();
  if (!exec) {
    fail(failure, "memory", ENOMEM, "no memory for an exec");
    session_send_failure(session, failure);
    session_finish(session);
    return;
  }
  snprintf(exec->id, sizeof exec->id, "%s", request->id);
  task_leave(session);
  task_join(&exec->task, session, request->attach);
  if (begin(exec, request, failure) < 0) {
    exec_failed(exec, failure);
    return;
  }
  session->ends_task = !(request->flags & HAKO_EXEC_DETACHED);
  session_hold_input(session, true);
}

void supervisor_exec(struct session *session, void *payload, uint32_t length) {
  struct exec_request request;
  struct failure failure;
  if (supervisor.task.exited) {
    session_refuse(session, "exec", ESRCH, "the container is not running");
    return;
  }
  if (request_decode_exec(payload, length, &request, &failure) < 0) {
    session_send_failure(session, &failure);
    session_finish(session);
    return;
  }
  run(session, &request, &failure);
  arena_free(&request.arena);
}

struct task *exec_find(pid_t pid) {
  struct task *exec = supervisor.execs;
  while (exec && (exec->process.pid != pid || exec->exited))
    exec = exec->next;
  return exec;
}

static struct exec *exec_named(const char *id) {
  struct exec *found = NULL;
  for (struct task *task = supervisor.execs; task; task = task->next) {
    struct exec *exec = LOOP_OWNER(task, struct exec, task);
    if (task->exited || strncmp(exec->id, id, strlen(id)) != 0)
      continue;
    if (found)
      return NULL;
    found = exec;
  }
  return found;
}

bool exec_attach(struct session *session, const char *id, uint32_t attach) {
  struct exec *exec = exec_named(id);
  if (!exec)
    return false;
  task_leave(session);
  task_join(&exec->task, session, attach);
  if (exec->starting)
    session_hold_input(session, true);
  else
    answer_started(session, &exec->process);
  return true;
}

void exec_release(struct session *session) {
  struct task *task = session->task;
  task->stdin_once = false;
  for (struct session *each = task->sessions; each; each = each->task_next)
    each->ends_task = false;
}

void exec_reaped(struct task *task, int code, int signal) {
  struct exec *exec = LOOP_OWNER(task, struct exec, task);
  if (exec->starting) {
    exec->handshake.reaped = true;
    exec->handshake.signal = signal;
    if (!advance(exec))
      return;
  }
  task_exited(task, code, signal);
}

void execs_kill(void) {
  for (struct task *exec = supervisor.execs; exec; exec = exec->next)
    task_signal(exec, SIGKILL);
}

int execs_join(const char *directory, struct failure *failure) {
  for (struct task *task = supervisor.execs; task; task = task->next) {
    const struct exec *exec = LOOP_OWNER(task, struct exec, task);
    if (exec->starting && cgroup_join(directory, exec->process.pid, failure) < 0 && failure->errnum != ESRCH)
      return -1;
  }
  return 0;
}
