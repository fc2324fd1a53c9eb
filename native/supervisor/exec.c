// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "../protocol.h"
#include "answers.h"
#include "supervisor.h"

static void exec_free(struct task *exec) {
  struct task **link = &supervisor.execs;
  while (*link != exec)
    link = &(*link)->next;
  *link = exec->next;
  supervisor.exec_count--;
  task_close(exec);
  free(exec);
}

static void exec_ended(struct task *exec) {
  answer_exited(exec);
  exec_free(exec);
}

// The task is made before the process, which nobody could watch without it.
static struct task *exec_new(void) {
  struct task *exec = malloc(sizeof *exec);
  if (!exec)
    return NULL;
  *exec = TASK_EMPTY;
  exec->ended = exec_ended;
  exec->stdin_once = true;
  exec->next = supervisor.execs;
  supervisor.execs = exec;
  supervisor.exec_count++;
  return exec;
}

static int begin(struct task *exec, const struct exec_request *request, struct failure *failure) {
  struct process process;
  if (container_exec(&supervisor.container, request, &process, failure) < 0)
    return -1;
  if (task_watch(exec, &process, request->flags & HAKO_EXEC_STDIN) == 0)
    return 0;
  fail(failure, "memory", errno, "the process could not be watched");
  task_signal(exec, SIGKILL); // and is reaped as an orphan
  return -1;
}

static void run(struct session *session, const struct exec_request *request, struct failure *failure) {
  struct task *exec = exec_new();
  if (!exec) {
    fail(failure, "memory", ENOMEM, "no memory for an exec");
  } else if (begin(exec, request, failure) < 0) {
    exec_free(exec);
    exec = NULL;
  }
  if (!exec) {
    session_send_failure(session, failure);
    session_finish(session);
    return;
  }
  task_leave(session);
  task_join(exec, session, request->attach);
  session->ends_task = !(request->flags & HAKO_EXEC_DETACHED);
  answer_started(session, &exec->process);
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
  request_free(&request.arena);
}

struct task *exec_find(pid_t pid) {
  struct task *exec = supervisor.execs;
  while (exec && (exec->process.pid != pid || exec->exited))
    exec = exec->next;
  return exec;
}

void execs_kill(void) {
  for (struct task *exec = supervisor.execs; exec; exec = exec->next)
    task_signal(exec, SIGKILL);
}
