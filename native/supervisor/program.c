// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <linux/capability.h>

#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/host_proc.h"
#include "../common/syscalls.h"
#include "confinement.h"
#include "credentials.h"
#include "execute.h"
#include "init.h"
#include "root.h"
#include "streams.h"

static int set_rlimits(const struct process_request *process, struct failure *failure) {
  char number[DECIMAL_SIZE];
  for (uint32_t i = 0; i < process->rlimit_count; i++) {
    const struct rlimit_setting *setting = &process->rlimits[i];
    if (sys_setrlimit(setting->resource, &setting->limit) < 0)
      return fail(failure, "rlimit", errno, "resource ", decimal(number, setting->resource),
                  errno == EPERM ? ": a hard limit can be raised only with CAP_SYS_RESOURCE on the host" : "");
  }
  return 0;
}

static int make_cwd(struct program *program) {
  const char *path = program->process->cwd;
  if (!(program->process->flags & HAKO_PROCESS_CREATE_CWD))
    return 0;
  cleanup_fd int fd = root_make(program->root, path, S_IFDIR | 0755);
  return fd < 0 ? fail(program->failure, "cwd", errno, "cannot make ", path) : 0;
}

// 1: not as this user.
static int enter_cwd(struct program *program) {
  const char *path = program->process->cwd;
  cleanup_fd int fd = root_open(program->root, path, O_PATH | O_DIRECTORY);
  if (fd >= 0 && fchdir(fd) == 0)
    return 0;
  if (errno == EACCES || errno == EPERM)
    return 1;
  return fail(program->failure, "cwd", errno, "cannot enter ", path,
              errno == ELOOP ? " (a link into procfs, or a loop of links)" : "");
}

// A directory that was reached by a leaked descriptor lies outside of "/", and the
// kernel says so (CVE-2024-21626).
static int check_cwd(struct program *program) {
  char path[PATH_MAX];
  ssize_t length = sys_getcwd(path, sizeof path);
  if (length <= 0 || path[0] != '/')
    return fail(program->failure, "cwd", length < 0 ? errno : 0, program->process->cwd,
                " is not below the container's root");
  return 0;
}

static void reset_signals(void) {
  // Handlers go by themselves on execve, but what the embedder ignores would stay ignored.
  struct sigaction standard = {.sa_handler = SIG_DFL};
  for (int signal = 1; signal < NSIG; signal++)
    sigaction(signal, &standard, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void add_home(struct process_request *process, const char *home) {
  static char entry[PATH_MAX + sizeof "HOME="];
  for (uint32_t i = 0; i < process->env.count; i++)
    if (strncmp(process->env.items[i], "HOME=", 5) == 0)
      return;
  strcpy(entry, "HOME=");
  strcat(entry, home);
  process->env.items[process->env.count++] = entry;
  process->env.items[process->env.count] = NULL;
}

static int prepare(struct program *program, const struct identity *identity) {
  program->handshake->report->waits = program->waits;
  if (streams_open(program, identity) < 0)
    return -1;
  // Nothing that was opened on the way may stay open in the program.
  if (sys_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
    return fail(program->failure, "stdio", errno, "close_range");
  reset_signals();
  return 0;
}

// As it would have been told at once. Nothing that depends on it was done before.
static int wait_for_command(const struct program *program, struct process_request *process) {
  prctl(PR_SET_NAME, "hako:prepared");
  if (!handshake_wait(program->handshake))
    _exit(1);
  const struct go_request *go = program->handshake->report->go;
  process->argv = go->argv;
  process->env = go->env;
  process->cwd = go->cwd;
  bool unwanted = program->with_stdin && !(go->flags & HAKO_GO_STDIN) && !(process->flags & HAKO_PROCESS_TTY);
  return unwanted && dup2(program->null, 0) < 0 ? fail(program->failure, "stdio", errno, "dup2") : 0;
}

// The parent may have died before it was asked to take this process along. A
// change of credentials forgets the wish, so it comes after.
static void follow_parent(const struct program *program) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The supervisor's number can't be seen from another pid namespace; init's can.
  bool alive = program->init ? getppid() == program->init : handshake_supervisor_alive(program->handshake);
  if (!alive)
    _exit(1);
}

static int drop_privileges(struct program *program, const struct identity *identity) {
  const struct process_request *process = program->process;
  bool filtered = process->seccomp.length > 0 || process->id_emulation.length > 0;
  bool filter_needs_admin = filtered && !(process->flags & HAKO_PROCESS_NO_NEW_PRIVS);
  uint64_t keep = filter_needs_admin ? 1ULL << CAP_SYS_ADMIN : 0;
  // Docker's order: root's working directory may be closed to the user that comes to
  // stand in it, and one on a network filesystem to root.
  int outside = enter_cwd(program);
  // Limits after what opens descriptors and before what takes away the right to raise them.
  if (outside < 0 || set_rlimits(process, program->failure) < 0 ||
      credentials_apply(identity, process, keep, program->failure) < 0)
    return -1;
  // The change of credentials may have made it dumpable again (fs.suid_dumpable).
  prctl(PR_SET_DUMPABLE, 0);
  if (outside && (outside = enter_cwd(program)) != 0)
    return outside < 0 ? -1 : fail(program->failure, "cwd", EACCES, "cannot enter ", process->cwd);
  return check_cwd(program);
}

void program_run(struct program *program) {
  static struct identity identity;
  const struct process_request *process = program->process;
  if (user_resolve(program->root, process->user, &process->groups, &identity, program->failure) < 0)
    return;
  if ((process->flags & HAKO_PROCESS_INIT) && init_split(program, &identity) < 0)
    return;
  setsid();
  if (prepare(program, &identity) < 0)
    return;
  struct process_request final = *process;
  if (program->waits && wait_for_command(program, &final) < 0)
    return;
  program->process = &final;
  // Only the container's root may make it.
  if (make_cwd(program) < 0)
    return;
  umask(final.umask);
  if (drop_privileges(program, &identity) < 0)
    return;
  add_home(&final, identity.home);
  follow_parent(program);
  struct report *report = program->handshake->report;
  report->uid = identity.uid;
  report->gid = identity.gid;
  report->group_count = identity.group_count < MOST_EMULATED_GROUPS ? identity.group_count : MOST_EMULATED_GROUPS;
  memcpy(report->groups, identity.groups, report->group_count * sizeof identity.groups[0]);
  if (confinement_apply(program) < 0)
    return;
  report->executing = true;
  execute(&final, program->failure);
}
