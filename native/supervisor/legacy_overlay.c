// SPDX-License-Identifier: Apache-2.0
#include "legacy_overlay.h"

#include <string.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "root.h"

#define DATA_SIZE 4096 // mount(2) takes one page on every architecture

struct text {
  char data[DATA_SIZE];
  size_t used;
  bool full;
};

static void add(struct text *text, char c) {
  if (text->used + 1 < sizeof text->data)
    text->data[text->used++] = c;
  else
    text->full = true;
}

// `escaped`: characters that mean something to overlay's own parser.
static void add_escaped(struct text *text, const char *value, const char *escaped) {
  for (; *value; value++) {
    if (strchr(escaped, *value))
      add(text, '\\');
    add(text, *value);
  }
}

static void add_option(struct text *text, const char *key, const char *value) {
  if (text->used > 0)
    add(text, ',');
  add_escaped(text, key, "");
  if (!*value)
    return;
  add(text, '=');
  add_escaped(text, value, ",\\");
}

static void add_layers(struct text *text, const struct setup_op *op) {
  bool first = true;
  for (uint32_t i = 0; i < op->mount.option_count; i++) {
    const struct mount_option *option = &op->mount.options[i];
    if (strcmp(option->key, "lowerdir+") != 0)
      continue;
    add_escaped(text, first ? "lowerdir=" : ":", "");
    add_escaped(text, option->value, ",:\\");
    first = false;
  }
}

// MOUNT_ATTR_* that mount(2) has the same bits for.
#define SAME_FLAGS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int legacy_overlay(struct setup *setup, const struct setup_op *op) {
  struct text text = {.used = 0};
  add_layers(&text, op);
  for (uint32_t i = 0; i < op->mount.option_count; i++)
    if (strcmp(op->mount.options[i].key, "lowerdir+") != 0)
      add_option(&text, op->mount.options[i].key, op->mount.options[i].value);
  if (text.full)
    return fail(setup->failure, "mount", E2BIG, "overlay: the layers' paths are too many or too long for this kernel");
  cleanup_fd int target = *op->path ? root_target(setup->root, op->path, op->flags, S_IFDIR, "mount", setup->failure)
                                    : fcntl(setup->root, F_DUPFD_CLOEXEC, 0);
  if (target < 0)
    return *op->path ? -1 : fail(setup->failure, "mount", errno, "overlay: no descriptor");
  // By the descriptor's own link in the host's procfs: no path in the root is walked.
  char number[DECIMAL_SIZE];
  char link[32] = "self/fd/";
  strcat(link, decimal(number, target));
  if (fchdir(setup->proc) < 0 ||
      mount("overlay", link, "overlay", (unsigned long)op->mount.attributes & SAME_FLAGS, text.data) < 0)
    return fail(setup->failure, "mount", errno, "overlay on /", op->path, " (the kernel's log says why)");
  if (chdir("/") < 0)
    return fail(setup->failure, "mount", errno, "cannot leave procfs");
  if (*op->path)
    return 0;
  // From below a mount, ".." of a root goes to what lies over it.
  int root = openat(target, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0)
    return fail(setup->failure, "mount", errno, "cannot enter the overlay");
  close_fd(&setup->root);
  setup->root = root;
  return 0;
}
