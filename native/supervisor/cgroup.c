// SPDX-License-Identifier: Apache-2.0
#include "cgroup.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/syscalls.h"

static int remember(struct container *container, const char *path, struct failure *failure) {
  size_t length = strlen(path) + 1;
  char *grown = realloc(container->cgroups, container->cgroups_length + length);
  if (!grown)
    return fail(failure, "memory", ENOMEM, "no memory for the list of cgroups");
  memcpy(grown + container->cgroups_length, path, length);
  container->cgroups = grown;
  container->cgroups_length += length;
  return 0;
}

static int make(struct container *container, const char *path, struct failure *failure) {
  if (mkdir(path, 0755) < 0)
    // Somebody else's, so it is theirs to remove.
    return errno == EEXIST ? 0 : fail(failure, "cgroup", errno, "mkdir ", path);
  if (remember(container, path, failure) == 0)
    return 0;
  rmdir(path);
  return -1;
}

static bool is_remembered(const struct container *container, const char *path) {
  const char *end = container->cgroups + container->cgroups_length;
  for (const char *at = container->cgroups; at < end; at += strlen(at) + 1)
    if (strcmp(at, path) == 0)
      return true;
  return false;
}

int cgroup_adopt(struct container *container, const char *directory, struct failure *failure) {
  if (is_remembered(container, directory))
    return 0;
  mode_t kept = umask(022);
  int made = mkdir(directory, 0755);
  umask(kept);
  if (made < 0 && errno != EEXIST)
    return fail(failure, "cgroup", errno, "mkdir ", directory);
  if (remember(container, directory, failure) == 0)
    return 0;
  rmdir(directory);
  return -1;
}

static int write_file(const char *path, struct wire_bytes value, struct failure *failure) {
  cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
  ssize_t written = fd < 0 ? -1 : RETRY(write(fd, value.data, value.length));
  if (written == (ssize_t)value.length)
    return 0;
  char text[64] = {0};
  if (value.length > 0)
    memcpy(text, value.data, value.length < sizeof text ? value.length : sizeof text - 1);
  return fail(failure, "cgroup", written < 0 ? errno : EIO, "write ", text, " to ", path);
}

static bool born_inside(const struct start_request *request) {
  for (uint32_t i = 0; i < request->step_count; i++)
    if (request->steps[i].kind == HAKO_CGROUP_INTO)
      return true;
  return false;
}

static int prepare(const struct cgroup_step *step, bool limited, struct container *container, int *into,
                   struct failure *failure) {
  switch (step->kind) {
  case HAKO_CGROUP_MKDIR:
    return make(container, step->path, failure);
  case HAKO_CGROUP_WRITE:
    return limited ? write_file(step->path, step->value, failure) : 0;
  case HAKO_CGROUP_DEVICES:
    return cgroup_attach_devices(step->path, step->value, failure);
  case HAKO_CGROUP_INTO:
    close_fd(into);
    *into = open(step->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *into < 0 ? fail(failure, "cgroup", errno, "open ", step->path) : 0;
  default: // JOIN, later
    return 0;
  }
}

static void open_oom_file(const struct start_request *request, struct container *container) {
  if (!*request->oom_file || strlen(request->oom_key) >= sizeof container->oom_key)
    return;
  strcpy(container->oom_key, request->oom_key);
  container->oom_fd = open(request->oom_file, O_RDONLY | O_CLOEXEC);
  container->oom_count = cgroup_oom_count(container);
}

int cgroup_prepare(const struct start_request *request, struct container *container, int *into,
                   struct failure *failure) {
  *into = -1;
  // The supervisor's own umask is for its files; whoever is in a container may read its cgroup.
  mode_t kept = umask(022);
  // A process that is born in a group has to find its limits there. One that joins does so when they are
  // written, which takes as long as its mounts: that is done meanwhile.
  bool limited = born_inside(request);
  int result = 0;
  for (uint32_t i = 0; i < request->step_count && result == 0; i++)
    result = prepare(&request->steps[i], limited, container, into, failure);
  umask(kept);
  if (result < 0) {
    close_fd(into);
    cgroup_remove(container);
    return -1;
  }
  container->adopted = container->cgroups_length;
  open_oom_file(request, container);
  return 0;
}

int cgroup_join(const char *directory, pid_t pid, struct failure *failure) {
  char path[PATH_MAX];
  char number[DECIMAL_SIZE];
  if (strlen(directory) + sizeof "/cgroup.procs" > sizeof path)
    return fail(failure, "cgroup", ENAMETOOLONG, directory);
  strcpy(path, directory);
  strcat(path, "/cgroup.procs");
  const char *text = decimal(number, pid);
  cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
    return fail(failure, "cgroup", errno, "join ", directory);
  return 0;
}

void cgroup_open_step_doors(const struct start_request *request, struct cgroup_doors *doors) {
  for (uint32_t i = 0; i < request->step_count; i++)
    if (request->steps[i].kind == HAKO_CGROUP_JOIN)
      cgroup_open_door(doors, request->steps[i].path);
}

int cgroup_join_steps(const struct start_request *request, const struct cgroup_doors *doors, pid_t pid,
                      struct failure *failure) {
  bool limited = born_inside(request);
  for (uint32_t i = 0; i < request->step_count; i++) {
    const struct cgroup_step *step = &request->steps[i];
    if (step->kind == HAKO_CGROUP_WRITE && !limited && write_file(step->path, step->value, failure) < 0)
      return -1;
    if (step->kind == HAKO_CGROUP_JOIN && !cgroup_has_door(doors, step->path) &&
        cgroup_join(step->path, pid, failure) < 0)
      return -1;
  }
  return 0;
}

uint64_t cgroup_oom_count(const struct container *container) {
  char text[1024];
  ssize_t length = container->oom_fd < 0 ? -1 : RETRY(pread(container->oom_fd, text, sizeof text - 1, 0));
  if (length <= 0)
    return 0;
  text[length] = 0;
  size_t key = strlen(container->oom_key);
  for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
    if (strncmp(line, container->oom_key, key) == 0 && line[key] == ' ')
      return strtoull(line + key + 1, NULL, 10);
  return 0;
}

// `path` is a directory above one that was made later.
static bool is_parent(const struct container *container, const char *path, const char *after) {
  size_t length = strlen(path);
  const char *end = container->cgroups + container->cgroups_length;
  for (; after < end; after += strlen(after) + 1)
    if (strncmp(after, path, length) == 0 && after[length] == '/')
      return true;
  return false;
}

static bool remove_one(const struct container *container, const char *path) {
  if (rmdir(path) == 0 || errno == ENOENT)
    return true;
  return is_parent(container, path, path + strlen(path) + 1) || cgroup_remove_tree(path);
}

// Where the last of the paths begins that end before `end`.
static size_t last_path(const struct container *container, size_t end) {
  size_t start = end - 1;
  while (start > 0 && container->cgroups[start - 1])
    start--;
  return start;
}

bool cgroup_remove_empty(const struct container *container) {
  for (size_t end = container->cgroups_length, start; end > 0; end = start) {
    start = last_path(container, end);
    if (rmdir(container->cgroups + start) < 0 && errno != ENOENT)
      return false;
  }
  return true;
}

bool cgroup_remove(struct container *container) {
  bool gone = true;
  size_t end = container->cgroups_length;
  while (end > 0) {
    size_t start = last_path(container, end);
    if (!remove_one(container, container->cgroups + start))
      gone = false;
    end = start;
  }
  free(container->cgroups);
  container->cgroups = NULL;
  container->cgroups_length = container->adopted = 0;
  close_fd(&container->oom_fd);
  return gone;
}
