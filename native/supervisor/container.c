// SPDX-License-Identifier: Apache-2.0
#include "container.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "../common/fd.h"
#include "../common/idmap.h"
#include "../common/syscalls.h"
#include "cgroup.h"
#include "child.h"
#include "confinement.h"
#include "handshake.h"
#include "host_trees.h"
#include "spawn.h"

// An image on a slow disk may take its time.
#define START_TIMEOUT_MS 60000

static const struct process no_process = {
    .pid = -1, .pidfd = -1, .listener = -1, .stdin_w = -1, .stdout_r = -1, .stderr_r = -1, .tty_master = -1};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// proc_pid_stat(5), field 22. The second field may hold anything, so counting begins after it.
static int read_start_ticks(int proc, struct process *process, struct failure *failure) {
  char path[DECIMAL_SIZE + sizeof "/stat"];
  char number[DECIMAL_SIZE];
  char text[512];
  strcpy(path, decimal(number, process->pid));
  strcat(path, "/stat");
  cleanup_fd int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read_all(fd, text, sizeof text - 1);
  if (length < 0)
    return fail(failure, "child", errno, "cannot read the process's start time");
  text[length] = 0;
  const char *at = strrchr(text, ')');
  for (int field = 2; at && field < 22; field++)
    at = strchr(at + 1, ' ');
  if (!at)
    return fail(failure, "child", 0, "procfs has no start time");
  process->start_ticks = strtoull(at + 1, NULL, 10);
  return 0;
}

static void close_streams(struct process *process) {
  close_fd(&process->listener);
  close_fd(&process->stdin_w);
  close_fd(&process->stdout_r);
  close_fd(&process->stderr_r);
  close_fd(&process->tty_master);
}

static void end_process(struct process *process, bool wait) {
  if (process->pid > 0) {
    sys_pidfd_send_signal(process->pidfd, SIGKILL);
    if (wait)
      RETRY(waitpid(process->pid, NULL, 0));
  }
  close_fd(&process->pidfd);
  close_streams(process);
}

static int *listener_of(const struct process_request *request, struct process *out) {
  return request->id_emulation.length > 0 ? &out->listener : NULL;
}

// Up to execve, or to where the process waits to be told what to run.
static int finish(struct container *container, struct handshake *handshake, struct failure *failure) {
  if (handshake_finish(handshake, &container->init, START_TIMEOUT_MS, failure) < 0)
    return -1;
  container->init.started_at = now();
  return 0;
}

// Everything on the supervisor's side between clone3 and execve.
static int see_off(const struct start_request *request, start_hook *meanwhile, struct container *out,
                   struct handshake *handshake, const struct host *host, struct failure *failure) {
  pid_t pid = out->init.pid;
  if (request->unshare & CLONE_NEWUSER) {
    if (idmap_write(&request->idmap, host->proc, pid, failure) < 0 ||
        host_trees_shift(request, host->proc, pid, failure) < 0 || handshake_release(handshake, -1, failure) < 0)
      return -1;
  }
  // Meanwhile the child builds its mounts.
  if (meanwhile(request, failure) < 0 || cgroup_join_steps(request, &host->doors, pid, failure) < 0 ||
      read_start_ticks(host->proc, &out->init, failure) < 0 || handshake_release(handshake, -1, failure) < 0)
    return -1;
  handshake->awaited = (struct awaited){.tty = request->process.flags & HAKO_PROCESS_TTY,
                                        .with_stdin = request->flags & HAKO_START_STDIN,
                                        .entry = request->process.flags & HAKO_PROCESS_INIT ? &out->entry : NULL,
                                        .null = &out->null,
                                        .listener = listener_of(&request->process, &out->init)};
  // Or the end would never come.
  close_fd(&handshake->child);
  return finish(out, handshake, failure);
}

static int launch(const struct start_request *request, start_hook *meanwhile, struct container *out, int into,
                  struct handshake *handshake, const struct host *host, struct failure *failure) {
  struct spawn how = {.unshare =
                          request->unshare & ~(uint32_t)CLONE_NEWCGROUP, // made by the child, once it is in its cgroup
                      .cgroup = into,
                      .joins = request->joins,
                      .join_count = request->join_count,
                      .pidfd = -1,
                      .oom_score_adj = request->process.oom_score_adj};
  child_keep_start(&how, request, handshake, host);
  out->init.pid = spawn(&how, &out->init.pidfd, failure);
  if (out->init.pid == 0)
    child_start(request, handshake, host, &how);
  if (out->init.pid > 0 && see_off(request, meanwhile, out, handshake, host, failure) == 0)
    return 0;
  end_process(&out->init, true);
  return -1;
}

static int open_handshake(const struct start_request *request, struct handshake *handshake, struct failure *failure) {
  if (handshake_open(handshake, failure) < 0)
    return -1;
  if (!(request->flags & HAKO_START_WAIT) || request_share(&handshake->told, failure) == 0)
    return 0;
  handshake_close(handshake);
  return -1;
}

int container_start(struct start_request *request, start_hook *meanwhile, struct container *out,
                    struct handshake *handshake, struct failure *failure) {
  *out = (struct container){.init = no_process, .namespaces = request->unshare, .entry = -1, .null = -1, .oom_fd = -1};
  for (uint32_t i = 0; i < request->join_count; i++)
    out->namespaces |= request->joins[i].type;
  cleanup_fd int into = -1;
  struct host host;
  if (cgroup_prepare(request, out, &into, failure) < 0)
    return -1;
  int result = -1;
  if (host_open(&host, failure) == 0) {
    cgroup_open_step_doors(request, &host.doors);
    if (host_trees_open(request, failure) == 0 && open_handshake(request, handshake, failure) == 0) {
      result = launch(request, meanwhile, out, into, handshake, &host, failure);
      if (result < 0 || !(request->flags & HAKO_START_WAIT))
        handshake_close(handshake);
    }
    host_trees_close(request);
    host_close(&host);
  }
  if (result < 0)
    cgroup_remove(out);
  return result;
}

int container_go(struct container *container, struct handshake *handshake, const struct go_request *go,
                 struct failure *failure) {
  if (handshake_go(handshake, go, failure) < 0 || finish(container, handshake, failure) < 0) {
    container_undo(container, handshake);
    return -1;
  }
  handshake_close(handshake);
  return 0;
}

void container_undo(struct container *container, struct handshake *handshake) {
  // Else one that somebody has frozen would not die.
  container_thaw(container);
  end_process(&container->init, true);
  handshake_close(handshake);
  cgroup_remove(container);
}

static int release_exec(enum release release, const struct exec_request *request, pid_t pid,
                        const struct handshake *handshake, const struct host *host, struct failure *failure) {
  if (release == RELEASE_NONE)
    return 0;
  if (release == RELEASE_PLAIN)
    return handshake_release(handshake, -1, failure);
  char number[DECIMAL_SIZE];
  cleanup_fd int profile = confinement_open_profile(host->proc, decimal(number, pid));
  if (profile < 0)
    return fail(failure, "apparmor", errno, "profile ", request->process.apparmor);
  return handshake_release(handshake, profile, failure);
}

static bool is_listed(const struct string_list *list, const char *item) {
  for (uint32_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i], item) == 0)
      return true;
  return false;
}

// The cgroups of an exec, NULL after the last one: those of the request, and those that were adopted without the
// knowledge of whoever made it.
static const char *exec_group(const struct container *container, const struct exec_request *request, uint32_t index) {
  if (index < request->cgroups.count)
    return request->cgroups.items[index];
  index -= request->cgroups.count;
  const char *end = container->cgroups + container->cgroups_length;
  for (const char *at = container->cgroups + container->adopted; at < end; at += strlen(at) + 1)
    if (!is_listed(&request->cgroups, at) && index-- == 0)
      return at;
  return NULL;
}

// What the supervisor has to do for an exec before that may go on.
static enum release release_of(const struct container *container, const struct exec_request *request,
                               const struct host *host) {
  if (child_takes_profile(container, request))
    return RELEASE_PROFILE;
  const char *group;
  for (uint32_t i = 0; (group = exec_group(container, request, i)); i++)
    if (!cgroup_has_door(&host->doors, group))
      return RELEASE_PLAIN;
  return RELEASE_NONE;
}

static int see_off_exec(const struct container *container, const struct exec_request *request, struct process *out,
                        struct handshake *handshake, const struct host *host, enum release release,
                        struct failure *failure) {
  const char *group;
  for (uint32_t i = 0; (group = exec_group(container, request, i)); i++)
    if (!cgroup_has_door(&host->doors, group) && cgroup_join(group, out->pid, failure) < 0)
      return -1;
  if (release_exec(release, request, out->pid, handshake, host, failure) < 0 ||
      read_start_ticks(host->proc, out, failure) < 0)
    return -1;
  handshake->awaited = (struct awaited){.tty = request->process.flags & HAKO_PROCESS_TTY,
                                        .with_stdin = request->flags & HAKO_EXEC_STDIN,
                                        .listener = listener_of(&request->process, out)};
  close_fd(&handshake->child);
  return 0;
}

static int launch_exec(const struct container *container, const struct exec_request *request, struct process *out,
                       struct handshake *handshake, struct host *host, struct failure *failure) {
  // Not by CLONE_INTO_CGROUP: the process would be born with the group's directory open, and from
  // there a container that may trace it would get anywhere on the host.
  const char *group;
  for (uint32_t i = 0; (group = exec_group(container, request, i)); i++)
    cgroup_open_door(&host->doors, group);
  struct spawn how = {.cgroup = -1,
                      .pidfd = container_entry(container),
                      .enter = container->namespaces & ~(uint32_t)(CLONE_NEWCGROUP | CLONE_NEWTIME),
                      .oom_score_adj = request->process.oom_score_adj};
  child_keep_exec(&how, container, request, handshake, host);
  enum release release = release_of(container, request, host);
  out->pid = spawn(&how, &out->pidfd, failure);
  if (out->pid == 0)
    child_exec(container, request, handshake, host, release);
  if (out->pid > 0 && see_off_exec(container, request, out, handshake, host, release, failure) == 0)
    return 0;
  // The loop reaps it: one that is frozen dies only when it is thawed.
  end_process(out, false);
  return -1;
}

int container_exec(const struct container *container, const struct exec_request *request, struct process *out,
                   struct handshake *handshake, struct failure *failure) {
  *out = no_process;
  struct host host;
  if (host_open(&host, failure) < 0)
    return -1;
  int result = -1;
  if (handshake_open(handshake, failure) == 0) {
    result = launch_exec(container, request, out, handshake, &host, failure);
    if (result < 0)
      handshake_close(handshake);
  }
  host_close(&host);
  return result;
}

int container_executed(struct process *out, struct handshake *handshake, struct failure *failure) {
  int result = handshake_advance(handshake, out, failure);
  if (result == 0)
    out->started_at = now();
  return result;
}

void container_abandon(struct process *process) {
  end_process(process, false);
}

int container_adopt(struct container *container, const char *directory, struct failure *failure) {
  return cgroup_adopt(container, directory, failure);
}

void container_thaw(const struct container *container) {
  const char *end = container->cgroups + container->cgroups_length;
  for (const char *at = container->cgroups; at < end; at += strlen(at) + 1)
    cgroup_thaw(at);
}

uint64_t container_oom_kills(const struct container *container) {
  uint64_t count = cgroup_oom_count(container);
  return count > container->oom_count ? count - container->oom_count : 0;
}

bool container_cleanup(struct container *container) {
  close_fd(&container->entry);
  close_fd(&container->null);
  return cgroup_remove(container);
}
