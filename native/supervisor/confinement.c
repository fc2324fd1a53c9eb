// SPDX-License-Identifier: Apache-2.0
#include "confinement.h"

#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#include "../common/fd.h"
#include "handshake.h"
#include "../common/host_proc.h"
#include "../common/syscalls.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1u << 5)
#endif

int confinement_open_profile(int proc, const char *process) {
  // Before Linux 5.8 there is one file for whichever module is the host's first.
  static const char *const names[] = {"/attr/apparmor/exec", "/attr/exec"};
  int fd = -1;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && fd < 0; i++) {
    char path[DECIMAL_SIZE + sizeof "/attr/apparmor/exec"];
    strcpy(path, process);
    strcat(path, names[i]);
    fd = host_proc_open_writable(proc, path);
    if (fd < 0 && errno != ENOENT)
      return -1;
  }
  return fd;
}

// Takes effect on execve.
static int set_apparmor(const struct program *program) {
  const char *profile = program->process->apparmor;
  char text[NAME_MAX + sizeof "exec "] = "exec ";
  if (strlen(profile) > NAME_MAX)
    return fail(program->failure, "apparmor", ENAMETOOLONG, profile);
  strcat(text, profile);
  cleanup_fd int own = program->proc >= 0 ? confinement_open_profile(program->proc, "self") : program->profile;
  if (own < 0 || write_all(own, text, strlen(text)) < 0)
    return fail(program->failure, "apparmor", errno, "profile ", profile);
  return 0;
}

static int install(const struct wire_bytes *program, uint32_t flags) {
  // The payload has no alignment, struct sock_filter has.
  static struct sock_filter instructions[BPF_MAXINSNS];
  memcpy(instructions, program->data, program->length);
  struct sock_fprog filter = {.len = (unsigned short)(program->length / sizeof instructions[0]), .filter = instructions};
  return sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, &filter);
}

// Before the program's own filter, which may forbid to hand anything over. Where the two
// disagree on a call the stricter one decides: what the program's refuses is refused.
static int emulate_ids(const struct program *program) {
  // A signal that interrupts must not have a change of ids done twice (Linux 5.19).
  int listener = install(&program->process->id_emulation,
                         SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  if (listener < 0 && errno == EINVAL)
    listener = install(&program->process->id_emulation, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  if (listener < 0)
    return fail(program->failure, "seccomp", errno, "the kernel refuses the filter of the id emulation");
  if (handshake_send_fds(program->handshake, &listener, 1) < 0)
    return fail(program->failure, "seccomp", errno, "cannot hand over the id emulation");
  close(listener);
  return 0;
}

int confinement_apply(const struct program *program) {
  const struct process_request *process = program->process;
  // no_new_privs could forbid the change of profile, so it comes after.
  if (*process->apparmor && set_apparmor(program) < 0)
    return -1;
  if ((process->flags & HAKO_PROCESS_NO_NEW_PRIVS) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return fail(program->failure, "seccomp", errno, "no_new_privs");
  if (process->id_emulation.length > 0 && emulate_ids(program) < 0)
    return -1;
  // From here on the program's filter rules us too: nothing but execve follows, and a
  // failure of that is reported through memory.
  if (process->seccomp.length > 0 && install(&process->seccomp, process->seccomp_flags) < 0)
    return fail(program->failure, "seccomp", errno, "the kernel refuses the filter");
  return 0;
}
