// SPDX-License-Identifier: Apache-2.0
//
// Runs a command and says how long it took, from posix_spawn to the end of wait, in nanoseconds. A peer is
// measured by this rather than by Node's own spawn, whose cost is none of the peer's.
//
// usage: launch COUNT COMMAND [ARG ...]   ("@" in an ARG becomes the number of the run)
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static char *numbered(const char *argument, long number) {
  const char *at = strchr(argument, '@');
  char *text = NULL;
  if (at == NULL)
    return strdup(argument);
  return asprintf(&text, "%.*s%d-%ld%s", (int)(at - argument), argument, (int)getpid(), number, at + 1) < 0 ? NULL : text;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    dprintf(2, "usage: launch COUNT COMMAND [ARG ...]\n");
    return 2;
  }
  long count = strtol(argv[1], NULL, 10);
  char **command = calloc((size_t)argc, sizeof *command);
  if (command == NULL)
    return 1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  for (long i = 0; i < count; i++) {
    for (int a = 2; a < argc; a++)
      command[a - 2] = numbered(argv[a], i);
    uint64_t start = now();
    pid_t pid;
    if (posix_spawnp(&pid, command[0], &actions, NULL, command, environ) != 0) {
      perror(command[0]);
      return 1;
    }
    int status;
    waitpid(pid, &status, 0);
    uint64_t took = now() - start;
    for (int a = 2; a < argc; a++)
      free(command[a - 2]);
    if (status != 0) {
      dprintf(2, "launch: %s ended with status %d\n", argv[2], status);
      return 1;
    }
    printf("%llu\n", (unsigned long long)took);
    fflush(stdout);
  }
  free(command);
  return 0;
}
