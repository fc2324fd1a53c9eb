// SPDX-License-Identifier: Apache-2.0
//
// Prints, as one JSON object, what a process can see of its own isolation. It
// shares no code with hako: its word is what hako and runc are compared by.
//
//     probe          all but the walk
//     probe walk     also every file of /proc and /sys that can be opened for writing
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

static void string(const char *text) {
  putchar('"');
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if (*c == '"' || *c == '\\')
      printf("\\%c", *c);
    else if (*c < 0x20 || *c >= 0x7f)
      printf("\\u%04x", *c); // Latin-1: good enough to compare by
    else
      putchar(*c);
  }
  putchar('"');
}

static void key(const char *name, bool first) {
  if (!first)
    putchar(',');
  string(name);
  putchar(':');
}

static void link_text(const char *path) {
  char target[PATH_MAX];
  ssize_t length = readlink(path, target, sizeof target - 1);
  if (length < 0) {
    printf("null");
    return;
  }
  target[length] = 0;
  string(target);
}

static void namespaces(void) {
  static const char *const names[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
  key("namespaces", false);
  putchar('{');
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
    key(names[i], i == 0);
    link_text(path);
  }
  putchar('}');
}

static void file_lines(const char *name, const char *path) {
  key(name, false);
  FILE *file = fopen(path, "re");
  if (!file) {
    printf("null");
    return;
  }
  char *line = NULL;
  size_t size = 0;
  bool first = true;
  putchar('[');
  for (ssize_t length; (length = getline(&line, &size, file)) >= 0; first = false) {
    if (length > 0 && line[length - 1] == '\n')
      line[length - 1] = 0;
    if (!first)
      putchar(',');
    string(line);
  }
  putchar(']');
  free(line);
  fclose(file);
}

static void status_fields(void) {
  static const char *const wanted[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Groups", "Umask"};
  key("status", false);
  putchar('{');
  FILE *file = fopen("/proc/self/status", "re");
  char line[4096];
  bool first = true;
  while (file && fgets(line, sizeof line, file)) {
    char *colon = strchr(line, ':');
    if (!colon)
      continue;
    *colon = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
      if (strcmp(line, wanted[i]) != 0)
        continue;
      char *value = colon + 1 + strspn(colon + 1, " \t");
      value[strcspn(value, "\n")] = 0;
      for (size_t end = strlen(value); end > 0 && value[end - 1] == ' '; end--)
        value[end - 1] = 0;
      key(wanted[i], first);
      string(value);
      first = false;
    }
  }
  if (file)
    fclose(file);
  putchar('}');
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

// Names in a directory, sorted; the caller frees each and the list.
static char **names_in(const char *path, size_t *count) {
  char **names = NULL;
  *count = 0;
  DIR *directory = opendir(path);
  if (!directory)
    return NULL;
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    names = realloc(names, (*count + 1) * sizeof *names);
    if (!names)
      abort();
    names[(*count)++] = strdup(entry->d_name);
  }
  closedir(directory);
  if (names)
    qsort(names, *count, sizeof *names, by_name);
  return names;
}

static void device(const char *path, bool *first) {
  struct stat status;
  if (lstat(path, &status) < 0)
    return;
  key(path, *first);
  *first = false;
  if (S_ISLNK(status.st_mode)) {
    printf("{\"type\":\"link\",\"target\":");
    link_text(path);
    putchar('}');
    return;
  }
  const char *type = S_ISCHR(status.st_mode) ? "char" : S_ISBLK(status.st_mode) ? "block" : S_ISDIR(status.st_mode) ? "directory" : "file";
  printf("{\"type\":\"%s\",\"mode\":\"%o\",\"uid\":%u,\"gid\":%u", type, status.st_mode & 07777, status.st_uid, status.st_gid);
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
    printf(",\"device\":\"%u:%u\"", major(status.st_rdev), minor(status.st_rdev));
  putchar('}');
  if (!S_ISDIR(status.st_mode))
    return;
  size_t count;
  char **names = names_in(path, &count);
  for (size_t i = 0; i < count; i++) {
    char below[PATH_MAX];
    snprintf(below, sizeof below, "%s/%s", path, names[i]);
    device(below, first);
    free(names[i]);
  }
  free(names);
}

static void limits(void) {
  static const char *const names[] = {"cpu",     "fsize", "data",  "stack",      "core",     "rss",  "nproc",  "nofile",
                                      "memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};
  key("limits", false);
  putchar('{');
  for (int i = 0; i < 16; i++) {
    struct rlimit limit;
    getrlimit((__rlimit_resource_t)i, &limit);
    key(names[i], i == 0);
    printf("[\"%lld\",\"%lld\"]", limit.rlim_cur == RLIM_INFINITY ? -1LL : (long long)limit.rlim_cur,
           limit.rlim_max == RLIM_INFINITY ? -1LL : (long long)limit.rlim_max);
  }
  putchar('}');
}

// Descriptors other than the one that looks.
static void descriptors(void) {
  key("descriptors", false);
  putchar('{');
  bool first = true;
  for (int fd = 0; fd < 4096; fd++) {
    char path[32], name[12];
    struct stat status;
    if (fcntl(fd, F_GETFD) < 0 || fstat(fd, &status) < 0)
      continue;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(name, sizeof name, "%d", fd);
    key(name, first);
    link_text(path);
    first = false;
  }
  putchar('}');
}

// Opened, never written to: an open for writing that succeeds is the finding.
static void walk_writable(const char *path, int depth, bool *first) {
  struct stat status;
  if (lstat(path, &status) < 0 || S_ISLNK(status.st_mode) || depth > 12)
    return;
  if (S_ISDIR(status.st_mode)) {
    size_t count;
    char **names = names_in(path, &count);
    for (size_t i = 0; i < count; i++) {
      // Of the processes only this one; its tasks say the same again.
      bool other = strcmp(path, "/proc") == 0 && names[i][0] >= '0' && names[i][0] <= '9' && atoi(names[i]) != getpid();
      if (!other && strcmp(names[i], "task") != 0 && strcmp(names[i], "fd") != 0 && strcmp(names[i], "map_files") != 0) {
        char below[PATH_MAX];
        snprintf(below, sizeof below, "%s/%s", path, names[i]);
        walk_writable(below, depth + 1, first);
      }
      free(names[i]);
    }
    free(names);
    return;
  }
  if (!S_ISREG(status.st_mode))
    return;
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return;
  close(fd);
  if (!*first)
    putchar(',');
  string(path);
  *first = false;
}

// What hides a path: how many bytes can be read, or how many names it has.
static void hidden(void) {
  static const char *const paths[] = {
      "/proc/acpi",        "/proc/asound",     "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
      "/proc/sched_debug", "/proc/scsi",       "/proc/timer_list", "/proc/timer_stats",
      "/sys/firmware",     "/sys/devices/virtual/powercap"};
  key("hidden", false);
  putchar('{');
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    struct stat status;
    key(paths[i], i == 0);
    if (stat(paths[i], &status) < 0) {
      printf("\"absent\"");
    } else if (S_ISDIR(status.st_mode)) {
      size_t count;
      char **names = names_in(paths[i], &count);
      printf(count == 0 ? "\"empty directory\"" : "\"directory\"");
      for (size_t j = 0; j < count; j++)
        free(names[j]);
      free(names);
    } else {
      char byte;
      int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
      ssize_t length = fd < 0 ? -1 : read(fd, &byte, 1);
      printf(length > 0 ? "\"readable\"" : length == 0 ? "\"empty file\"" : "\"refused\"");
      if (fd >= 0)
        close(fd);
    }
  }
  putchar('}');
}

static void identity(void) {
  gid_t groups[1024];
  int count = getgroups(1024, groups);
  printf("\"uid\":[%u,%u],\"gid\":[%u,%u],\"groups\":[", getuid(), geteuid(), getgid(), getegid());
  for (int i = 0; i < count; i++)
    printf("%s%u", i ? "," : "", groups[i]);
  putchar(']');
  struct utsname name;
  uname(&name);
  key("hostname", false);
  string(name.nodename);
  key("domainname", false);
  string(name.domainname);
  char directory[PATH_MAX];
  key("cwd", false);
  string(getcwd(directory, sizeof directory) ? directory : "");
  key("environment", false);
  putchar('[');
  for (char **entry = environ; *entry; entry++) {
    if (entry != environ)
      putchar(',');
    string(*entry);
  }
  putchar(']');
  printf(",\"pid\":%d,\"dumpable\":%d", getpid(), prctl(PR_GET_DUMPABLE));
}

// errno of socket(AF_ALG, …), the family as it is and with a bit that the
// kernel drops and a careless filter does not: 0 when it was made.
static void alg_socket(void) {
  static const long families[] = {38, (1L << 32) + 38};
  key("algSocket", false);
  putchar('[');
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    long fd = syscall(SYS_socket, families[i], 5, 0);
    printf("%s%d", i ? "," : "", fd < 0 ? errno : 0);
    if (fd >= 0)
      close((int)fd);
  }
  putchar(']');
}

int main(int argc, char **argv) {
  putchar('{');
  identity();
  namespaces();
  status_fields();
  limits();
  descriptors();
  file_lines("mountinfo", "/proc/self/mountinfo");
  file_lines("cgroup", "/proc/self/cgroup");
  file_lines("uidMap", "/proc/self/uid_map");
  file_lines("gidMap", "/proc/self/gid_map");
  file_lines("oomScoreAdj", "/proc/self/oom_score_adj");
  alg_socket();
  hidden();
  key("devices", false);
  putchar('{');
  bool first = true;
  device("/dev", &first);
  putchar('}');
  key("writable", false);
  putchar('[');
  first = true;
  if (argc > 1 && strcmp(argv[1], "walk") == 0) {
    walk_writable("/proc", 0, &first);
    walk_writable("/sys", 0, &first);
  }
  printf("]}\n");
  return 0;
}
