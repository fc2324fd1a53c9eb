// SPDX-License-Identifier: Apache-2.0
#include "credentials.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "../common/fd.h"
#include "../common/syscalls.h"

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_RAISE 2
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

static bool has(uint64_t set, unsigned capability) {
  return set >> capability & 1;
}

static int fail_capability(struct failure *failure, int errnum, const char *what, unsigned capability) {
  char number[DECIMAL_SIZE];
  return fail(failure, "capabilities", errnum, what, decimal(number, capability));
}

static int limit_bounding(uint64_t bounding, struct failure *failure) {
  for (unsigned capability = 0; capability < 64; capability++) {
    int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) // past the last one that this kernel has
      return bounding >> capability == 0 ? 0 : fail_capability(failure, EINVAL, "the kernel has no capability ", capability);
    if (!held && has(bounding, capability))
      return fail_capability(failure, EPERM, "not in this host's bounding set: capability ", capability);
    if (held && !has(bounding, capability) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
      return fail_capability(failure, errno, "cannot drop from the bounding set: capability ", capability);
  }
  return 0;
}

// To one who has the capability the kernel says EPERM for nothing else.
static bool may_set_groups(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  return syscall(SYS_capget, &header, data) == 0 && (data[0].effective >> CAP_SETGID & 1);
}

static int change_ids(const struct identity *identity, bool asked, struct failure *failure) {
  char number[DECIMAL_SIZE];
  if (sys_setgroups(identity->group_count, identity->groups) < 0) {
    int errnum = errno;
    // A map of a single id comes with setgroups denied. The image's own groups are
    // ids that don't exist there; only what the caller asked for is an error.
    bool excused = errnum == EPERM && !asked && may_set_groups();
    errno = errnum;
    if (!excused)
      return fail(failure, "groups", errno,
                  asked ? "cannot set the supplementary groups (ids that aren't mapped, or setgroups is denied)"
                        : "cannot set the groups (an id that isn't mapped?)");
  }
  if (sys_setresgid(identity->gid) < 0)
    return fail(failure, "groups", errno, "cannot become gid ", decimal(number, identity->gid),
                errno == EINVAL ? ", which isn't mapped in the user namespace" : "");
  if (sys_setresuid(identity->uid) < 0)
    return fail(failure, "user", errno, "cannot become uid ", decimal(number, identity->uid),
                errno == EINVAL ? ", which isn't mapped in the user namespace" : "");
  return 0;
}

// The user is one by the supervisor's word only. What takes capabilities away from one
// who isn't root is that uid 0 gets none on execve (capabilities(7), securebits).
static int renounce_root(const struct identity *identity, struct failure *failure) {
  if (identity->uid != 0 && prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0) < 0)
    return fail(failure, "capabilities", errno, "cannot take root's capabilities from the user");
  return 0;
}

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable, struct failure *failure) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  for (unsigned i = 0; i < 2; i++)
    data[i] = (struct __user_cap_data_struct){.effective = (uint32_t)(effective >> 32 * i),
                                              .permitted = (uint32_t)(permitted >> 32 * i),
                                              .inheritable = (uint32_t)(inheritable >> 32 * i)};
  if (syscall(SYS_capset, &header, data) < 0)
    return fail(failure, "capabilities", errno, "cannot set the effective, permitted and inheritable sets");
  return 0;
}

static int set_ambient(uint64_t ambient, struct failure *failure) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
    return fail(failure, "capabilities", errno, "cannot clear the ambient set");
  for (unsigned capability = 0; capability < 64; capability++)
    if (has(ambient, capability) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
      return fail_capability(failure, errno, "must be inheritable and permitted to be ambient: capability ", capability);
  return 0;
}

int credentials_apply(const struct identity *identity, const struct process_request *process, uint64_t keep,
                      struct failure *failure) {
  bool emulated = process->id_emulation.length > 0;
  // First: dropping from the bounding set takes CAP_SETPCAP.
  if (limit_bounding(process->bounding, failure) < 0)
    return -1;
  // Without it setresuid would take the permitted set away, before capset can say what stays.
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
    return fail(failure, "capabilities", errno, "cannot keep capabilities over the change of user");
  // Groups before ids: a user who isn't root may not change them.
  if ((emulated ? renounce_root(identity, failure) : change_ids(identity, process->groups.count > 0, failure)) < 0)
    return -1;
  prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  bool root = identity->uid == 0;
  uint64_t permitted = root ? process->permitted : process->ambient;
  uint64_t effective = root ? process->effective : process->ambient;
  if (set_capabilities(effective | keep, permitted | keep, process->inheritable, failure) < 0)
    return -1;
  return set_ambient(process->ambient, failure);
}

int credentials_become_root(struct failure *failure) {
  if (sys_setresgid(0) < 0 || sys_setresuid(0) < 0)
    return fail(failure, "idmap", errno, "cannot become root in the user namespace: is id 0 mapped?");
  // Which fs.suid_dumpable may have made it again, and here somebody has the same id.
  prctl(PR_SET_DUMPABLE, 0);
  // The supervisor's own groups must not go in; where this is denied they can't be dropped.
  if (sys_setgroups(0, NULL) < 0 && errno != EPERM)
    return fail(failure, "idmap", errno, "cannot drop the groups");
  return 0;
}
