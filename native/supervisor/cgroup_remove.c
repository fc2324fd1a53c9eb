// SPDX-License-Identifier: Apache-2.0
//
// A container may have made cgroups below its own, as deep as it likes, and may
// fork while it is being killed. So the walk keeps one descriptor, whatever the
// depth, and tries again for a while.
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "cgroup.h"

#define PATIENCE_MS 2000u
#define PAUSE_MS 2u

static void write_word(int directory, const char *file, const char *word) {
  cleanup_fd int fd = openat(directory, file, O_WRONLY | O_CLOEXEC);
  // Not every version has every file; what matters is whether the removal succeeds.
  if (fd >= 0)
    (void)!write(fd, word, strlen(word));
}

static void kill_listed(int directory) {
  cleanup_fd int fd = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
  char text[4096];
  ssize_t length = fd < 0 ? -1 : read_all(fd, text, sizeof text - 1);
  if (length <= 0)
    return;
  text[length] = 0;
  // A number that was cut at the buffer's end is another process's; the next round has it.
  if ((size_t)length == sizeof text - 1) {
    char *last = strrchr(text, '\n');
    *(last ? last + 1 : text) = 0;
  }
  for (char *at = text; *at;) {
    char *end;
    long pid = strtol(at, &end, 10);
    // 0: a process outside of our pid namespace.
    if (end != at && pid > 1)
      kill((pid_t)pid, SIGKILL);
    at = *end ? end + 1 : end;
  }
}

static void kill_processes(int directory) {
  if (faccessat(directory, "cgroup.kill", W_OK, 0) == 0)
    write_word(directory, "cgroup.kill", "1");
  else
    kill_listed(directory);
  // A frozen process of version 1 doesn't die before it is thawed.
  write_word(directory, "freezer.state", "THAWED");
}

void cgroup_thaw(const char *directory) {
  cleanup_fd int top = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (top < 0)
    return;
  write_word(top, "freezer.state", "THAWED");
  write_word(top, "cgroup.freeze", "0");
}

// The first directory in this one; false when there is none.
static bool first_child(int directory, char name[NAME_MAX + 1]) {
  int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = fd < 0 ? NULL : fdopendir(fd);
  if (!entries) {
    close_fd(&fd);
    return false;
  }
  bool found = false;
  for (struct dirent *entry; !found && (entry = readdir(entries));)
    if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
      strcpy(name, entry->d_name);
      found = true;
    }
  closedir(entries);
  return found;
}

static bool pause_before_next(unsigned *waited) {
  struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
  nanosleep(&pause, NULL);
  *waited += PAUSE_MS;
  return *waited < PATIENCE_MS;
}

static bool descend(int *at, const char *name) {
  int next = openat(*at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0)
    return false;
  close_fd(at);
  *at = next;
  return true;
}

// Removes all that is below `top`, the deepest first.
static bool empty(int top, unsigned *waited) {
  cleanup_fd int at = fcntl(top, F_DUPFD_CLOEXEC, 0);
  unsigned depth = 0;
  char name[NAME_MAX + 1];
  while (at >= 0) {
    if (!first_child(at, name)) {
      if (depth == 0)
        return true;
      depth--;
      if (!descend(&at, ".."))
        return false;
    } else if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
      cleanup_fd int child = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      char grandchild[NAME_MAX + 1];
      if (child >= 0 && first_child(child, grandchild)) {
        close_fd(&at);
        at = steal_fd(&child);
        depth++;
        continue;
      }
      if (child >= 0)
        kill_processes(child);
      if (!pause_before_next(waited))
        return false;
    }
  }
  return false;
}

bool cgroup_remove_tree(const char *directory) {
  cleanup_fd int top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top < 0)
    return errno == ENOENT;
  unsigned waited = 0;
  do {
    kill_processes(top);
    if (!empty(top, &waited))
      return false;
    if (rmdir(directory) == 0 || errno == ENOENT)
      return true;
  } while (pause_before_next(&waited));
  return false;
}
