// SPDX-License-Identifier: Apache-2.0
#include "pack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/walk.h"
#include "kernel_filesystem.h"
#include "pack_entry.h"
#include "parents.h"

struct packing {
  struct pack pack;
  const char *name; // of the top in the archive
  bool at_top;
};

static int no_memory(struct failure *f) {
  return fail(f, "memory", ENOMEM, "pack");
}

// The top goes by the name that was asked for, all others by their own.
static int push(struct packing *p, const char *name, struct failure *f) {
  const char *shown = p->at_top ? p->name : name;
  p->at_top = false;
  return *shown == 0 || walk_path_push(&p->pack.path, shown) ? 0 : no_memory(f);
}

static int visit_leaf(void *context, int parent, const char *name, struct failure *f) {
  struct packing *p = context;
  struct stat status;
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? 0 : fail(f, "stat", errno, name);
  if (push(p, name, f) < 0)
    return -1;
  int result = pack_leaf(&p->pack, parent, name, &status, f);
  walk_path_pop(&p->pack.path);
  return result;
}

static int enter_directory(void *context, int parent, const char *name, int fd, struct failure *f) {
  struct packing *p = context;
  (void)parent;
  if (push(p, name, f) < 0 || pack_directory(&p->pack, fd, name, f) < 0)
    return -1;
  // Its mount point is all that there is to copy.
  return is_kernel_filesystem(fd) ? 1 : pack_opaque(&p->pack, fd, f);
}

static int leave_directory(void *context, int parent, const char *name, struct failure *f) {
  (void)parent;
  (void)name;
  (void)f;
  walk_path_pop(&((struct packing *)context)->pack.path);
  return 0;
}

static const struct walk_visitor visitor = {
    .leaf = visit_leaf,
    .enter = enter_directory,
    .leave = leave_directory,
    .sorted = true,
};
static const struct walk_visitor crossing = {
    .leaf = visit_leaf,
    .enter = enter_directory,
    .leave = leave_directory,
    .sorted = true,
    .crosses_mounts = true,
};

static int pack_one(struct packing *p, int root, const struct pack_request *request, struct failure *f) {
  const struct walk_visitor *how = request->crosses_mounts ? &crossing : &visitor;
  if (*request->path == 0)
    return walk(root, "", how, p, f);
  const char *slash = strrchr(request->path, '/');
  size_t length = slash ? (size_t)(slash - request->path) : 0;
  struct bytes directory = {0};
  if (!bytes_set_text(&directory, request->path, length))
    return no_memory(f);
  cleanup_fd int parent = open_in_root(root, bytes_text(&directory), O_PATH | O_DIRECTORY, 0);
  bytes_free(&directory);
  if (parent < 0)
    return fail(f, "path", errno, request->path);
  if (walk(parent, slash ? slash + 1 : request->path, how, p, f) < 0)
    return -1;
  return p->pack.entries > 0 ? 0 : fail(f, "path", ENOENT, request->path);
}

int pack_tree(int root, int output, const struct pack_request *request, struct pack_result *result,
              struct failure *f) {
  static struct packing p; // too large for a stack
  p.pack.flags = request->flags;
  p.pack.writer.fd = output;
  p.name = request->name;
  p.at_top = true;
  int done = pack_one(&p, root, request, f);
  if (done == 0)
    done = tar_write_end(&p.pack.writer, f);
  *result = (struct pack_result){.entries = p.pack.entries, .bytes = p.pack.writer.bytes};
  pack_free(&p.pack);
  return done;
}
