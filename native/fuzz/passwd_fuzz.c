// SPDX-License-Identifier: Apache-2.0
//
// A user, an /etc/passwd and an /etc/group, all three from the fuzzer, in a root
// of real files: "user NUL group-to-add NUL passwd NUL group".
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/fd.h"
#include "../supervisor/user.h"

#define CHECK(condition) \
  do {                   \
    if (!(condition))    \
      abort();           \
  } while (0)

static char root_path[] = "/dev/shm/hako-passwd-XXXXXX";
static int root = -1;
static int files[2];

static void remove_root(void) {
  unlinkat(root, "etc/passwd", 0);
  unlinkat(root, "etc/group", 0);
  unlinkat(root, "etc", AT_REMOVEDIR);
  rmdir(root_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  if (!mkdtemp(root_path) || (root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
    abort();
  if (mkdirat(root, "etc", 0755) < 0 || atexit(remove_root) != 0)
    abort();
  files[0] = openat(root, "etc/passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  files[1] = openat(root, "etc/group", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  return files[0] < 0 || files[1] < 0 ? -1 : 0;
}

// The next piece as a string of its own; the caller frees it.
static char *piece(const uint8_t **at, const uint8_t *end) {
  const uint8_t *stop = memchr(*at, 0, (size_t)(end - *at));
  size_t length = (size_t)((stop ? stop : end) - *at);
  char *text = malloc(length + 1);
  memcpy(text, *at, length);
  text[length] = 0;
  *at += stop ? length + 1 : length;
  return text;
}

static void replace(int fd, const void *data, size_t length) {
  if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 || write_all(fd, data, length) < 0)
    abort();
}

static bool number(const char *text, unsigned long *value) {
  size_t digits = strspn(text, "0123456789");
  *value = strtoul(text, NULL, 10);
  return digits > 0 && (text[digits] == 0 || text[digits] == ':');
}

static void check(const struct identity *identity, const char *user) {
  CHECK(identity->uid <= INT32_MAX && identity->gid <= INT32_MAX);
  CHECK(identity->group_count > 0 && identity->group_count <= MOST_GROUPS);
  CHECK(identity->groups[0] == identity->gid);
  for (uint32_t i = 0; i < identity->group_count; i++)
    CHECK(identity->groups[i] <= INT32_MAX);
  CHECK(identity->home[0] == '/' && !strchr(identity->home, '\n') && !strchr(identity->home, ':'));
  // Whatever the files say, a number is that number.
  unsigned long wanted;
  if (number(user, &wanted))
    CHECK(identity->uid == wanted);
  CHECK(!strchr("+- \t", user[0]) || user[0] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct identity identity;
  const uint8_t *at = data, *end = data + size;
  char *user = piece(&at, end);
  char *added = piece(&at, end);
  const uint8_t *middle = memchr(at, 0, (size_t)(end - at));
  replace(files[0], at, (size_t)((middle ? middle : end) - at));
  replace(files[1], middle ? middle + 1 : end, middle ? (size_t)(end - middle - 1) : 0);
  struct string_list groups = {.items = &added, .count = *added ? 1 : 0};
  struct failure failure = {.operation = ""};
  if (user_resolve(root, user, &groups, &identity, &failure) == 0)
    check(&identity, user);
  else
    CHECK(strcmp(failure.operation, "user") == 0 || strcmp(failure.operation, "groups") == 0);
  free(user);
  free(added);
  return 0;
}
