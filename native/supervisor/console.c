// SPDX-License-Identifier: Apache-2.0
#include "console.h"

#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "root.h"
#include "setup.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int pty_open(int root, uint16_t rows, uint16_t columns, struct pty *out, struct failure *failure) {
  cleanup_fd int directory = root_open(root, "dev/pts", O_PATH | O_DIRECTORY);
  struct statfs filesystem;
  if (directory < 0 || fstatfs(directory, &filesystem) < 0)
    return fail(failure, "console", errno, "/dev/pts");
  if (filesystem.f_type != DEVPTS_SUPER_MAGIC)
    return fail(failure, "console", ENODEV, "/dev/pts is not a devpts: a tty needs one");
  cleanup_fd int master = sys_openat2(directory, "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0,
                                      RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
  struct stat status;
  if (master < 0 || fstat(master, &status) < 0)
    return fail(failure, "console", errno, "/dev/pts/ptmx");
  if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(5, 2))
    return fail(failure, "console", ENODEV, "/dev/pts/ptmx is not the pty multiplexer");
  int unlock = 0;
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCSWINSZ, &size) < 0)
    return fail(failure, "console", errno, "cannot set up a pty");
  int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0)
    return fail(failure, "console", errno, "no slave end of a pty");
  *out = (struct pty){.master = steal_fd(&master), .slave = slave};
  return 0;
}

int setup_console(struct setup *setup) {
  const struct process_request *process = &setup->request->process;
  if (!(process->flags & HAKO_PROCESS_TTY))
    return fail(setup->failure, "console", 0, "a console was asked for without a tty");
  if (pty_open(setup->root, process->rows, process->columns, &setup->pty, setup->failure) < 0)
    return -1;
  cleanup_fd int target = root_target(setup->root, "dev/console", HAKO_TARGET_FILE | HAKO_TARGET_NO_FOLLOW, S_IFCHR,
                                      "console", setup->failure);
  if (target < 0)
    return -1;
  cleanup_fd int clone = sys_open_tree(setup->pty.slave, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  if (clone < 0 || sys_move_mount(clone, target) < 0)
    return fail(setup->failure, "console", errno, "cannot mount the pty on /dev/console");
  return 0;
}
