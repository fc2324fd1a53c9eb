// SPDX-License-Identifier: Apache-2.0
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fd.h"
#include "syscalls.h"

#define UP (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
#define DOWN (UP | RESOLVE_BENEATH)

// The kernel's struct linux_dirent64; libcs disagree on where they declare it.
struct entry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

// One directory between the top and where the walk is. Its own name lies in the
// names of the frame below.
struct frame {
  struct walk_identity self;
  size_t name;        // offset of its name in `text`
  size_t first_order; // of its entries that are still to be visited, in `order`
  size_t first_text;  // where its entries' names start in `text`
};

struct walker {
  const struct walk_visitor *visitor;
  void *context;
  struct failure *f;
  int top; // the parent that the walk began from; not ours
  int current;
  struct frame *frames;
  size_t depth;
  size_t frames_size;
  char *text; // of each waiting entry: its type, its name, NUL
  size_t text_used;
  size_t text_size;
  size_t *order;
  size_t order_used;
  size_t order_size;
};

static int step_down(int parent, const char *name, uint64_t more_resolve) {
  return (int)RETRY(
      sys_openat2(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, 0, DOWN | more_resolve));
}

int walk_down(int parent, const char *name) {
  return step_down(parent, name, RESOLVE_NO_XDEV);
}

int walk_identify(int fd, struct walk_identity *identity) {
  struct stat status;
  if (fstat(fd, &status) < 0)
    return -1;
  *identity = (struct walk_identity){status.st_dev, status.st_ino};
  return 0;
}

static int step_up(int fd, const struct walk_identity *parent, uint64_t more_resolve) {
  struct walk_identity found;
  cleanup_fd int up = (int)RETRY(sys_openat2(fd, "..", O_RDONLY | O_DIRECTORY, 0, UP | more_resolve));
  if (up < 0 || walk_identify(up, &found) < 0)
    return -1;
  if (found.device == parent->device && found.inode == parent->inode)
    return steal_fd(&up);
  errno = ESTALE;
  return -1;
}

int walk_up(int fd, const struct walk_identity *parent) {
  return step_up(fd, parent, RESOLVE_NO_XDEV);
}

static bool grow(void **array, size_t *size, size_t wanted, size_t element) {
  if (wanted <= *size)
    return true;
  size_t larger = *size > 0 ? *size * 2 : 64;
  while (larger < wanted)
    larger *= 2;
  void *moved = realloc(*array, larger * element);
  if (!moved)
    return false;
  *array = moved;
  *size = larger;
  return true;
}

static int no_memory(struct walker *w) {
  return fail(w->f, "memory", ENOMEM, "walking a tree");
}

static int keep(struct walker *w, unsigned char type, const char *name) {
  size_t length = strlen(name) + 1;
  if (!grow((void **)&w->text, &w->text_size, w->text_used + 1 + length, 1) ||
      !grow((void **)&w->order, &w->order_size, w->order_used + 1, sizeof *w->order))
    return no_memory(w);
  w->order[w->order_used++] = w->text_used;
  w->text[w->text_used++] = (char)type;
  memcpy(w->text + w->text_used, name, length);
  w->text_used += length;
  return 0;
}

static unsigned char type_of(int parent, const struct entry *entry) {
  if (entry->type != DT_UNKNOWN)
    return entry->type;
  struct stat status;
  if (fstatat(parent, entry->name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return DT_REG; // gone: the visitor of leaves will see so itself
  return S_ISDIR(status.st_mode) ? DT_DIR : DT_REG;
}

static int take(struct walker *w, const struct entry *entry) {
  if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
    return 0;
  unsigned char type = type_of(w->current, entry);
  if (type == DT_DIR || w->visitor->sorted)
    return keep(w, type, entry->name);
  return w->visitor->leaf(w->context, w->current, entry->name, w->f);
}

// Entries are visited from the end of `order`.
static void sort_descending(struct walker *w, size_t first);

static int gather(struct walker *w, size_t first) {
  _Alignas(struct entry) char buffer[32768];
  for (;;) {
    long got = syscall(SYS_getdents64, w->current, buffer, sizeof buffer);
    if (got < 0)
      return fail(w->f, "readdir", errno, "walking a tree");
    if (got == 0)
      break;
    for (long at = 0; at < got;) {
      const struct entry *entry = (const struct entry *)(buffer + at);
      if (take(w, entry) < 0)
        return -1;
      at += entry->length;
    }
  }
  if (w->visitor->sorted)
    sort_descending(w, first);
  return 0;
}

// qsort(3) hands its comparison no context; the walk is the only one on this thread while it sorts.
static _Thread_local const char *sorting;

static int compare_descending(const void *left, const void *right) {
  return strcmp(sorting + *(const size_t *)right + 1, sorting + *(const size_t *)left + 1);
}

static void sort_descending(struct walker *w, size_t first) {
  sorting = w->text;
  if (w->order_used > first)
    qsort(w->order + first, w->order_used - first, sizeof *w->order, compare_descending);
}

// Makes `fd` the current directory of the walk and reads it.
static int push(struct walker *w, int fd, size_t name) {
  struct walk_identity self;
  if (walk_identify(fd, &self) < 0) {
    int errnum = errno;
    close(fd);
    return fail(w->f, "stat", errnum, "walking a tree");
  }
  if (!grow((void **)&w->frames, &w->frames_size, w->depth + 1, sizeof *w->frames)) {
    close(fd);
    return no_memory(w);
  }
  int parent = w->depth > 0 ? w->current : w->top;
  int result = w->visitor->enter ? w->visitor->enter(w->context, parent, w->text + name, fd, w->f) : 0;
  if (w->depth > 0)
    close(w->current);
  w->current = fd;
  w->frames[w->depth++] = (struct frame){
      .self = self,
      .name = name,
      .first_order = w->order_used,
      .first_text = w->text_used,
  };
  return result == 0 ? gather(w, w->order_used) : result < 0 ? -1 : 0;
}

static uint64_t mounts_of(const struct walker *w) {
  return w->visitor->crosses_mounts ? 0 : RESOLVE_NO_XDEV;
}

static int open_child(struct walker *w, int parent, const char *name) {
  for (;;) {
    int fd = step_down(parent, name, mounts_of(w));
    if (fd >= 0 || errno == ENOENT)
      return fd;
    int errnum = errno;
    if (errnum == ENOTDIR || errnum == ELOOP) // exchanged for something else since it was listed
      return w->visitor->leaf(w->context, parent, name, w->f) < 0 ? -2 : -1;
    int again = -1;
    if (w->visitor->closed)
      again = w->visitor->closed(w->context, parent, name, errnum, w->f);
    else
      fail(w->f, errnum == EXDEV ? "mount" : "open", errnum, name);
    if (again <= 0)
      return again < 0 ? -2 : -1;
  }
}

static int go_up(struct walker *w) {
  const struct frame *child = &w->frames[--w->depth];
  w->text_used = child->first_text;
  if (w->depth > 0) {
    int fd = step_up(w->current, &w->frames[w->depth - 1].self, mounts_of(w));
    int errnum = errno;
    close(w->current);
    w->current = fd;
    if (fd < 0)
      return fail(w->f, "walk", errnum, "a directory was moved while its tree was walked");
  } else {
    close_fd(&w->current);
  }
  if (!w->visitor->leave)
    return 0;
  return w->visitor->leave(w->context, w->depth > 0 ? w->current : w->top, w->text + child->name, w->f);
}

static int step(struct walker *w) {
  if (w->order_used == w->frames[w->depth - 1].first_order)
    return go_up(w);
  size_t at = w->order[--w->order_used];
  const char *name = w->text + at + 1;
  if (w->text[at] != DT_DIR)
    return w->visitor->leaf(w->context, w->current, name, w->f);
  int fd = open_child(w, w->current, name);
  if (fd < 0)
    return fd == -2 ? -1 : 0;
  return push(w, fd, at + 1);
}

int walk(int parent, const char *name, const struct walk_visitor *visitor, void *context, struct failure *f) {
  struct walker w = {.visitor = visitor, .context = context, .f = f, .top = parent, .current = -1};
  int result = keep(&w, DT_DIR, name);
  w.order_used = 0;
  if (result == 0) {
    int fd = open_child(&w, parent, *name ? name : ".");
    if (fd == -2)
      result = -1;
    else if (fd >= 0)
      result = push(&w, fd, 1);
  }
  while (result == 0 && w.depth > 0)
    result = step(&w);
  close_fd(&w.current);
  free(w.frames);
  free(w.text);
  free(w.order);
  return result;
}
