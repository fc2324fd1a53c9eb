// SPDX-License-Identifier: Apache-2.0
#include "id_table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/failure.h"
#include "../common/fd.h"
#include "../common/syscalls.h"

#define MOST_ENTRIES 256
#define MOST_ANCESTORS 64
#define TICKS_PER_SECOND 100 // USER_HZ, on every processor that hako runs on

struct entry {
  struct subject subject; // process 0: free
  uint64_t changed;       // at this tick, from `before`
  struct credentials before, now;
};

// Touched only as far as it is used.
static struct entry table[MOST_ENTRIES];
static size_t used; // entries below this may be taken

bool id_table_is_empty(void) {
  return used == 0;
}

static ssize_t read_file(int proc, pid_t pid, const char *name, char *text, size_t size) {
  char path[DECIMAL_SIZE + sizeof "/status"];
  char number[DECIMAL_SIZE];
  strcpy(path, decimal(number, pid));
  strcat(path, name);
  cleanup_fd int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read_all(fd, text, size - 1);
  text[length < 0 ? 0 : length] = 0;
  return length;
}

// Field `number` of proc_pid_stat(5). The second may hold anything, so counting begins after it.
static const char *stat_field(const char *text, int number) {
  const char *at = strrchr(text, ')');
  for (int field = 2; at && field < number; field++)
    at = strchr(at + 1, ' ');
  return at;
}

static bool read_stat(int proc, pid_t process, uint64_t *start, pid_t *parent) {
  char text[512];
  if (read_file(proc, process, "/stat", text, sizeof text) < 0)
    return false;
  const char *of_parent = stat_field(text, 4);
  const char *of_start = stat_field(text, 22);
  if (!of_parent || !of_start)
    return false;
  *parent = (pid_t)strtol(of_parent + 1, NULL, 10);
  *start = strtoull(of_start + 1, NULL, 10);
  return true;
}

bool id_table_subject(int proc, pid_t thread, struct subject *out) {
  char text[4096];
  pid_t parent;
  if (read_file(proc, thread, "/status", text, sizeof text) < 0)
    return false;
  // The name, which a program chooses, is written with its newlines escaped.
  const char *leader = strstr(text, "\nTgid:");
  if (!leader)
    return false;
  out->process = (pid_t)strtol(leader + sizeof "\nTgid:" - 1, NULL, 10);
  return read_stat(proc, out->process, &out->start, &parent);
}

static struct entry *find(struct subject subject) {
  for (size_t i = 0; i < used; i++)
    if (table[i].subject.process == subject.process && table[i].subject.start == subject.start)
      return &table[i];
  return NULL;
}

struct credentials id_table_find(int proc, struct subject subject, const struct credentials *initial) {
  // When the process was made, or the ancestor of it that is looked at.
  uint64_t made = UINT64_MAX;
  for (int i = 0; i < MOST_ANCESTORS && subject.process > 0; i++) {
    const struct entry *entry = find(subject);
    // In the same tick: who changes ids and makes a process at once is more usual than the reverse.
    if (entry)
      return made >= entry->changed ? entry->now : entry->before;
    pid_t parent;
    uint64_t start;
    if (!read_stat(proc, subject.process, &start, &parent))
      break;
    made = start;
    subject.process = parent;
    if (parent <= 0 || !read_stat(proc, parent, &subject.start, &parent))
      break;
  }
  return *initial;
}

// One whose process is gone, or that was never taken.
static struct entry *take(int proc) {
  for (size_t i = 0; i < used; i++) {
    uint64_t start;
    pid_t parent;
    struct subject subject = table[i].subject;
    if (!read_stat(proc, subject.process, &start, &parent) || start != subject.start)
      return &table[i];
  }
  return used < MOST_ENTRIES ? &table[used++] : NULL;
}

static uint64_t ticks(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (uint64_t)now.tv_sec * TICKS_PER_SECOND + (uint64_t)now.tv_nsec / (1000000000 / TICKS_PER_SECOND);
}

bool id_table_set(int proc, struct subject subject, const struct credentials *before, const struct credentials *now) {
  struct entry *entry = find(subject);
  if (!entry)
    entry = take(proc);
  if (!entry)
    return false;
  *entry = (struct entry){.subject = subject, .changed = ticks(), .before = *before, .now = *now};
  return true;
}
