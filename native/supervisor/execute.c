// SPDX-License-Identifier: Apache-2.0
#include "execute.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../common/fd.h"

static const char *search_path(const struct string_list *env) {
  for (uint32_t i = 0; i < env->count; i++)
    if (strncmp(env->items[i], "PATH=", 5) == 0)
      return env->items[i] + 5;
  return "";
}

// By trying, which is the only look-up that needs no system call of which a seccomp
// filter might think otherwise. Relative entries are passed over: the working directory
// is the image's, and must not decide what a plain name means.
static int search(const struct process_request *process) {
  const char *name = process->argv.items[0];
  size_t length = strlen(name);
  int result = ENOENT;
  const char *next = search_path(&process->env);
  while (*next) {
    const char *directory = next;
    size_t prefix = strcspn(directory, ":");
    next += prefix + (directory[prefix] == ':');
    char path[PATH_MAX];
    if (directory[0] != '/' || prefix + 1 + length >= sizeof path)
      continue;
    memcpy(path, directory, prefix);
    path[prefix] = '/';
    memcpy(path + prefix + 1, name, length + 1);
    execve(path, process->argv.items, process->env.items);
    if (errno == EACCES)
      result = EACCES;
    else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENAMETOOLONG)
      return errno;
  }
  return result;
}

void execute(const struct process_request *process, struct failure *failure) {
  const char *name = process->argv.items[0];
  int errnum = ENOENT;
  if (strchr(name, '/')) {
    execve(name, process->argv.items, process->env.items);
    errnum = errno;
  } else if (*name)
    errnum = search(process);
  fail(failure, "exec", errnum, name);
}
