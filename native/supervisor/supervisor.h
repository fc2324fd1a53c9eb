// SPDX-License-Identifier: Apache-2.0
//
// One container's life: START, execs and sessions while it runs, its end.
#ifndef HAKO_SUPERVISOR_H
#define HAKO_SUPERVISOR_H

#include <stdbool.h>

#include "container.h"
#include "session.h"
#include "sink.h"
#include "task.h"

enum phase { PHASE_BORN, PHASE_PREPARED, PHASE_RUNNING, PHASE_ENDED };

struct supervisor {
  enum phase phase;
  uint32_t flags;     // HAKO_START_*
  uint32_t extra_fds; // that START may name
  struct container container;
  uint64_t oom_kills; // that sessions were told of
  struct sink *sink;
  struct task task; // the container's first process
  struct task *execs;
  uint32_t exec_count;
};

// There is one; signals and timers have no other way to it.
extern struct supervisor supervisor;

// Sessions (frames.c).
int supervisor_own(int fd);
void supervisor_connected(int fd);
void supervisor_hold(struct session *session, bool holds);

// Whole frames (start.c, exec.c).
void supervisor_start(struct session *session, uint8_t **payload, uint32_t length); // may take the payload
void supervisor_exec(struct session *session, void *payload, uint32_t length);

// Looks again, and again, whether a sink that is blocked can take more (start.c).
void supervisor_wait_for_sink(void);

// Answers its calls that name ids, if it was started so: -1 with errno (start.c).
int supervisor_emulate_ids(struct process *process);

// A child was reaped; one that is no task's is an orphan of the container's.
void supervisor_reaped(pid_t pid, int code, int signal);

// exec.c
struct task *exec_find(pid_t pid);

// Has a session see and feed the one exec whose id begins like that, from here on; STARTED follows when it runs. False:
// there is none, or more than one.
bool exec_attach(struct session *session, const char *id, uint32_t attach);

// It goes on by itself, whichever sessions end.
void exec_release(struct session *session);
void exec_reaped(struct task *task, int code, int signal);
void execs_kill(void);
// Those that are on their way go into a cgroup that they did not know of.
int execs_join(const char *directory, struct failure *failure);

// oom.c: tells sessions of OOM kills as they come, and of what is still untold.
void oom_watch(const struct start_request *request);
void oom_tell(void);
void oom_close(void);

// To the container's first process. SIGKILL thaws it: one that is frozen by version 1 would not die before.
void supervisor_signal(int signal);

// The end (ending.c): of the container, or of one that never started.
void supervisor_terminate(void); // SIGTERM to the supervisor
void supervisor_container_ended(struct task *task);
void supervisor_end(int status);
bool supervisor_is_over(int *status);

#endif
