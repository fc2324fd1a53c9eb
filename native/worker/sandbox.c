// SPDX-License-Identifier: Apache-2.0
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../common/fd.h"
#include "../common/host_proc.h"
#include "../common/syscalls.h"
#include "../protocol.h"
#include "syscall_filter.h"

// Tables of names and inodes for some millions of entries fit; a bomb that fills more is a failure, not the host's
// memory.
#define MEMORY_LIMIT ((rlim_t)1 << 30)

static int sandbox_failed(struct failure *f, const char *what) {
  return fail(f, "sandbox", errno, what);
}

// Writes the maps of its parent, which a process can't do for itself with ranges or helpers.
static void serve_maps(const struct idmap *idmap, int request, int answer) {
  char unshared;
  struct failure f = {0};
  if (read_all(request, &unshared, 1) != 1)
    _exit(0); // the parent failed, and says so itself
  int proc = host_proc_open("idmap", &f);
  if (proc >= 0)
    idmap_write(idmap, proc, getppid(), &f);
  write_all(answer, &f, sizeof f);
  _exit(0);
}

// The groups of whoever started us are none of the tree's. Where the kernel forbids to drop them it has a reason
// (user_namespaces(7), "setgroups").
static int become_root(bool must_drop_groups, struct failure *f) {
  if (sys_setgroups(0, NULL) < 0 && (must_drop_groups || errno != EPERM))
    return fail(f, "idmap", errno, "cannot drop the groups");
  // Root of the new namespace; the single id that an ordinary user gets is that already.
  if (sys_setresgid(0) < 0 || sys_setresuid(0) < 0)
    return fail(f, "idmap", errno, "cannot become root in the user namespace: is id 0 mapped?");
  // Which fs.suid_dumpable may have made it again, and in a container somebody has the same id.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return 0;
}

static int ask_for_maps(const struct idmap *idmap, int request, int answer, struct failure *f) {
  struct failure reply;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
    return fail(f, "namespace", errno, "user");
  if (write_all(request, "", 1) < 0 || read_all(answer, &reply, sizeof reply) != (ssize_t)sizeof reply)
    return fail(f, "idmap", EPIPE, "the helper that writes the maps ended");
  if (*reply.operation) {
    *f = reply;
    return -1;
  }
  return become_root(!idmap->deny_setgroups, f);
}

static int enter_user_namespace(const struct idmap *idmap, struct failure *f) {
  int request[2];
  int answer[2];
  if (pipe2(request, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
    return sandbox_failed(f, "pipe");
  pid_t helper = fork();
  if (helper < 0)
    return sandbox_failed(f, "fork");
  if (helper == 0) {
    close(request[1]);
    serve_maps(idmap, request[0], answer[1]);
  }
  close(request[0]);
  close(answer[1]);
  int result = ask_for_maps(idmap, request[1], answer[0], f);
  close(request[1]);
  close(answer[0]);
  RETRY(waitpid(helper, NULL, 0));
  return result;
}

static int clone_current_directory(bool recursive) {
  int tree = recursive ? -1 : sys_open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE);
  // Mounts below it that an outer namespace has locked can't be left out.
  if (recursive || (tree < 0 && errno == EINVAL))
    tree = sys_open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | AT_RECURSIVE);
  return tree;
}

// Where the host's root is the initial ramdisk, it can't be pivoted away from.
static int change_root(struct failure *f) {
  if (sys_pivot_root(".", ".") == 0)
    return umount2(".", MNT_DETACH) < 0 ? sandbox_failed(f, "umount") : 0;
  if (errno != EINVAL)
    return sandbox_failed(f, "pivot_root");
  return chroot(".") < 0 ? sandbox_failed(f, "chroot") : 0;
}

int sandbox_unshare(int base, const struct idmap *idmap, struct failure *f) {
  // A new mount namespace moves the working directory over to its copy of the mount; a descriptor stays with the old.
  if (fchdir(base) < 0)
    return sandbox_failed(f, "base directory");
  close(base);
  if (idmap->method != HAKO_IDMAP_NONE) {
    if (enter_user_namespace(idmap, f) < 0)
      return -1;
  } else if (unshare(CLONE_NEWNS) < 0) {
    return fail(f, "namespace", errno, "mount");
  }
  return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? sandbox_failed(f, "private mounts") : 0;
}

int sandbox_cover(int tree, struct failure *f) {
  cleanup_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (here < 0 || sys_move_mount(tree, here) < 0 || fchdir(tree) < 0)
    return sandbox_failed(f, "the tree as a mount");
  return 0;
}

int sandbox_confine(int tree, struct failure *f) {
  const struct mount_attributes attributes = {.set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
  if (sys_mount_setattr(tree, AT_RECURSIVE, &attributes) < 0 || fchdir(tree) < 0)
    return sandbox_failed(f, "the tree as a mount");
  if (change_root(f) < 0)
    return -1;
  int root = chdir("/") < 0 ? -1 : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return root < 0 ? sandbox_failed(f, "base directory") : root;
}

static int confine_here(bool recursive, struct failure *f) {
  cleanup_fd int tree = clone_current_directory(recursive);
  if (tree < 0)
    return sandbox_failed(f, "base directory as a mount");
  return sandbox_cover(tree, f) < 0 ? -1 : sandbox_confine(tree, f);
}

int sandbox_enter(int base, const struct idmap *idmap, bool recursive, struct failure *f) {
  return sandbox_unshare(base, idmap, f) < 0 ? -1 : confine_here(recursive, f);
}

int sandbox_join(int mounts, int user, bool recursive, struct failure *f) {
  // Before anybody in there might see us: with the host's pid namespace, a container does.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return sandbox_failed(f, "dumpable");
  if (user >= 0 && setns(user, CLONE_NEWUSER) < 0)
    return fail(f, "namespace", errno, "the container's user namespace");
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // Which leaves us at that namespace's root.
  if (setns(mounts, CLONE_NEWNS) < 0)
    return fail(f, "namespace", errno, "the container's mount namespace");
  if (user >= 0 && become_root(false, f) < 0)
    return -1;
  // What led here must not be at hand in here.
  close(mounts);
  if (user >= 0)
    close(user);
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
    return fail(f, "namespace", errno, "a copy of the container's mount namespace");
  return confine_here(recursive, f);
}

static int keep_capabilities(uint64_t wanted, struct failure *f) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct now[2];
  struct __user_cap_data_struct kept[2] = {0};
  if (syscall(SYS_capget, &header, now) < 0)
    return sandbox_failed(f, "capget");
  for (int i = 0; i < 2; i++)
    kept[i].effective = kept[i].permitted = (uint32_t)(wanted >> (32 * i)) & now[i].permitted;
  if (syscall(SYS_capset, &header, kept) < 0)
    return sandbox_failed(f, "capset");
  return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ? sandbox_failed(f, "ambient capabilities") : 0;
}

int sandbox_drop_capabilities(struct failure *f) {
  return keep_capabilities(0, f);
}

static int set_limit(int resource, rlim_t most, struct failure *f) {
  struct rlimit limit = {most, most};
  return setrlimit(resource, &limit) < 0 ? sandbox_failed(f, "rlimit") : 0;
}

int sandbox_lock(uint64_t capabilities, struct failure *f) {
  if (set_limit(RLIMIT_CORE, 0, f) < 0)
    return -1;
#ifndef __SANITIZE_ADDRESS__ // which needs terabytes of address space, and system calls of its own
  if (set_limit(RLIMIT_AS, MEMORY_LIMIT, f) < 0)
    return -1;
#endif
  if (keep_capabilities(capabilities, f) < 0)
    return -1;
  // A process of the same user outside must not be able to take the worker over by ptrace(2).
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return sandbox_failed(f, "no_new_privs");
#ifndef __SANITIZE_ADDRESS__
  if (syscall_filter_install() < 0)
    return sandbox_failed(f, "seccomp");
#endif
  return 0;
}
