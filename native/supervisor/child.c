// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include <linux/keyctl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/host_proc.h"
#include "../common/syscalls.h"
#include "credentials.h"
#include "program.h"
#include "setup.h"
#include "spawn.h"

int host_open(struct host *host, struct failure *failure) {
  *host = (struct host){.proc = host_proc_open("child", failure)};
  return host->proc < 0 ? -1 : 0;
}

void host_close(struct host *host) {
  close_fd(&host->proc);
  cgroup_close_doors(&host->doors);
}

// For ps(1), and for whoever finds a start that hangs.
static void stage(const char *name) {
  prctl(PR_SET_NAME, name);
}

// The supervisor's session keyring would come along, and with it the embedder's keys.
static int leave_keyring(struct failure *failure) {
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS)
    return 0;
  return fail(failure, "keyring", errno, "no session keyring of its own",
              errno == EDQUOT ? ": raise kernel.keys.maxkeys" : "");
}

static int name_host(const struct start_request *request, struct failure *failure) {
  if (*request->hostname && sethostname(request->hostname, strlen(request->hostname)) < 0)
    return fail(failure, "hostname", errno, request->hostname);
  if (*request->domainname && setdomainname(request->domainname, strlen(request->domainname)) < 0)
    return fail(failure, "hostname", errno, "domain name ", request->domainname);
  return 0;
}

// A time namespace can't be entered by a process that shares its memory, so the
// intermediate that entered the others has left it.
static int join_time(const struct start_request *request, struct failure *failure) {
  for (uint32_t i = 0; i < request->join_count; i++)
    if (request->joins[i].type == CLONE_NEWTIME && setns(request->joins[i].fd, CLONE_NEWTIME) < 0)
      return fail(failure, "namespace", errno, "cannot join a time namespace");
  return 0;
}

static bool joins_user(const struct start_request *request) {
  for (uint32_t i = 0; i < request->join_count; i++)
    if (request->joins[i].type == CLONE_NEWUSER)
      return true;
  return false;
}

static int enter_user_namespace(const struct start_request *request, const struct handshake *handshake,
                                struct failure *failure) {
  bool made = request->unshare & CLONE_NEWUSER;
  if (made) {
    // Until its maps are written, nothing may be done in it.
    if (!handshake_wait(handshake))
      _exit(1);
    // From here on the process is as dumpable as the ones that never needed to be.
    prctl(PR_SET_DUMPABLE, 0);
  }
  return made || joins_user(request) ? credentials_become_root(failure) : 0;
}

static int prepare_start(struct setup *setup) {
  const struct start_request *request = setup->request;
  stage("hako:namespaces");
  // First, because procfs lets an ordinary user write this only while the process is dumpable.
  if (request->join_count == 0 && request->process.oom_score_adj != INT32_MIN &&
      set_oom_score(request->process.oom_score_adj, setup->failure) < 0)
    return -1;
  if (enter_user_namespace(request, setup->handshake, setup->failure) < 0 ||
      join_time(request, setup->failure) < 0 || name_host(request, setup->failure) < 0 ||
      leave_keyring(setup->failure) < 0)
    return -1;
  umask(0);
  setup->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (setup->root < 0)
    return fail(setup->failure, "mount", errno, "/");
  stage("hako:mounts");
  if (setup_run(setup) < 0)
    return -1;
  // With its first credentials, and before there is an init's child, which would stay behind.
  return setup_join_cgroups(setup);
}

static void keep(struct spawn *how, int fd) {
  how->keep[how->keep_count++] = fd;
}

static void keep_doors(struct spawn *how, const struct host *host) {
  for (uint32_t i = 0; i < host->doors.count; i++)
    keep(how, host->doors.fds[i]);
}

void child_keep_start(struct spawn *how, const struct start_request *request, const struct handshake *handshake,
                      const struct host *host) {
  keep(how, handshake->child);
  keep(how, host->proc);
  for (uint32_t i = 0; i < request->join_count; i++)
    keep(how, request->joins[i].fd);
  for (uint32_t i = 0; i < request->op_count; i++)
    if (request->ops[i].tree >= 0)
      keep(how, request->ops[i].tree);
  // To be born in. It is closed first of all: with CAP_SYS_PTRACE, a container that is joined could take it (docs/isolation.md).
  if (how->cgroup >= 0)
    keep(how, how->cgroup);
  keep_doors(how, host);
}

// A directory of the host's procfs leads to the host's root (1/root, or ".." from any
// process's), and CAP_SYS_PTRACE to a newcomer's descriptors. Not from a user namespace:
// the newcomer's memory is the host's. There an ordinary user's supervisor could not
// open the file for it.
static bool takes_proc(const struct container *container, const struct exec_request *request) {
  return (container->namespaces & CLONE_NEWUSER) && *request->process.apparmor;
}

bool child_takes_profile(const struct container *container, const struct exec_request *request) {
  return !(container->namespaces & CLONE_NEWUSER) && *request->process.apparmor;
}

void child_keep_exec(struct spawn *how, const struct container *container, const struct exec_request *request,
                     const struct handshake *handshake, const struct host *host) {
  keep(how, handshake->child);
  keep(how, container->null);
  keep(how, container_entry(container));
  if (takes_proc(container, request))
    keep(how, host->proc);
  keep_doors(how, host);
}

void child_start(const struct start_request *request, const struct handshake *handshake, const struct host *host,
                 const struct spawn *how) {
  struct failure *failure = &handshake->report->failure;
  if (!how->pruned && spawn_prune(how, failure) < 0)
    _exit(1);
  if (how->cgroup >= 0)
    close(how->cgroup);
  struct setup setup = {.request = request,
                        .handshake = handshake,
                        .failure = failure,
                        .doors = &host->doors,
                        .root = -1,
                        .proc = host->proc,
                        .null = -1,
                        .empty = -1,
                        .pty = {.master = -1, .slave = -1}};
  if (prepare_start(&setup) < 0)
    _exit(1);
  int null = setup_open_null(&setup);
  if (null < 0)
    _exit(1);
  stage("hako:process");
  struct program program = {.process = &request->process,
                            .handshake = handshake,
                            .failure = failure,
                            .root = setup.root,
                            .proc = host->proc,
                            .profile = -1,
                            .null = null,
                            .null_is_new = true,
                            .pty = setup.pty,
                            .with_stdin = request->flags & HAKO_START_STDIN,
                            .waits = request->flags & HAKO_START_WAIT};
  program_run(&program);
  _exit(1);
}

static bool wait_for_release(enum release release, struct program *program) {
  switch (release) {
  case RELEASE_NONE:
    return true;
  case RELEASE_PLAIN:
    return handshake_wait(program->handshake);
  case RELEASE_PROFILE:
    return handshake_take(program->handshake, &program->profile);
  }
  return false;
}

static int prepare_exec(const struct container *container, const struct host *host, enum release release,
                        struct program *program) {
  stage("hako:exec");
  if (!wait_for_release(release, program))
    _exit(1);
  if (cgroup_enter(&host->doors, program->failure) < 0)
    return -1;
  // What the intermediate could not enter: see join_time, and for the cgroup namespace
  // that from inside it the way into the container's own cgroup would be outside.
  uint32_t rest = container->namespaces & (CLONE_NEWCGROUP | CLONE_NEWTIME);
  if (rest && setns(container_entry(container), (int)rest) < 0)
    return fail(program->failure, "namespace", errno, "cannot enter the container's cgroup or time namespace");
  if ((container->namespaces & CLONE_NEWUSER) && credentials_become_root(program->failure) < 0)
    return -1;
  umask(0);
  program->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (program->root < 0)
    return fail(program->failure, "cwd", errno, "/");
  return leave_keyring(program->failure);
}

void child_exec(const struct container *container, const struct exec_request *request,
                const struct handshake *handshake, const struct host *host, enum release release) {
  struct program program = {.process = &request->process,
                            .handshake = handshake,
                            .failure = &handshake->report->failure,
                            .root = -1,
                            .proc = takes_proc(container, request) ? host->proc : -1,
                            .profile = -1,
                            .null = container->null,
                            .pty = {.master = -1, .slave = -1},
                            .with_stdin = request->flags & HAKO_EXEC_STDIN};
  if (prepare_exec(container, host, release, &program) == 0)
    program_run(&program);
  _exit(1);
}
