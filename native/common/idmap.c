// SPDX-License-Identifier: Apache-2.0
#include "idmap.h"

#include <string.h>
#include <sys/wait.h>

#include "../protocol.h"
#include "fd.h"
#include "host_proc.h"
#include "syscalls.h"

static int write_map(int proc, pid_t pid, const char *file, const char *text, struct failure *failure) {
  char path[48];
  char number[DECIMAL_SIZE];
  strcpy(path, decimal(number, pid));
  strcat(path, file);
  if (host_proc_write(proc, path, text, strlen(text)) < 0)
    return fail(failure, "idmap", errno, "cannot write ", file + 1, ": ", text);
  return 0;
}

#define MOST_WORDS 1024

// newuidmap <pid> <inside> <outside> <count> ...; `text` is cut into its words.
static int run_helper(const char *path, pid_t pid, char *text, struct failure *failure) {
  static char *words[MOST_WORDS + 3];
  char number[DECIMAL_SIZE];
  char program[4096];
  strncpy(program, path, sizeof program - 1);
  program[sizeof program - 1] = 0;
  size_t count = 0;
  words[count++] = program;
  char pid_text[DECIMAL_SIZE];
  strcpy(pid_text, decimal(number, pid));
  words[count++] = pid_text;
  char *rest = text;
  for (char *word; (word = strtok_r(rest, " \t\n", &rest)) && count < MOST_WORDS;)
    words[count++] = word;
  words[count] = NULL;

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return fail(failure, "idmap", errno, "cannot run ", path);
  cleanup_fd int output = ends[0];
  cleanup_fd int input = ends[1];
  static char *const environment[] = {NULL};
  pid_t helper = vfork();
  if (helper == 0) {
    if (dup2(input, 2) == 2)
      execve(program, words, environment);
    _exit(127);
  }
  if (helper < 0)
    return fail(failure, "idmap", errno, "cannot run ", path);
  close_fd(&input);
  // Its last words, when it fails.
  char words_of_helper[256];
  ssize_t length = read_all(output, words_of_helper, sizeof words_of_helper - 1);
  words_of_helper[length > 0 ? length : 0] = 0;
  words_of_helper[strcspn(words_of_helper, "\n")] = 0;
  int status = 0;
  if (RETRY(waitpid(helper, &status, 0)) < 0)
    return fail(failure, "idmap", errno, "lost ", path);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return fail(failure, "idmap", ENOENT, "cannot run ", path);
  return status == 0 ? 0 : fail(failure, "idmap", 0, path, ": ", words_of_helper);
}

// The words are cut in place, and the map is needed once only.
static int map_by_helpers(const struct idmap *map, pid_t pid, struct failure *failure) {
  if (run_helper(map->newuidmap, pid, map->uid_map, failure) < 0)
    return -1;
  return run_helper(map->newgidmap, pid, map->gid_map, failure);
}

int idmap_write(const struct idmap *map, int proc, pid_t pid, struct failure *failure) {
  // Before the gid map: an ordinary user may write that one only afterwards.
  if (map->deny_setgroups && write_map(proc, pid, "/setgroups", "deny", failure) < 0)
    return -1;
  if (map->method == HAKO_IDMAP_HELPERS)
    return map_by_helpers(map, pid, failure);
  if (write_map(proc, pid, "/uid_map", map->uid_map, failure) < 0)
    return -1;
  return write_map(proc, pid, "/gid_map", map->gid_map, failure);
}
