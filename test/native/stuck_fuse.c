// SPDX-License-Identifier: Apache-2.0
//
// A filesystem with one file, whose content never comes. It is there until this
// program is killed.
//
//     stuck_fuse <directory>      mounted there; says so on stdout
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_NODE 2

static int fuse;

static void answer(uint64_t unique, int error, const void *data, size_t size) {
  struct fuse_out_header header = {.len = (uint32_t)(sizeof header + size), .error = error, .unique = unique};
  struct iovec parts[] = {{&header, sizeof header}, {(void *)(uintptr_t)data, size}};
  if (writev(fuse, parts, 2) < 0)
    perror("answer");
}

static struct fuse_attr attributes(uint64_t node) {
  return (struct fuse_attr){
      .ino = node, .size = 4096, .nlink = 1, .mode = node == FILE_NODE ? S_IFREG | 0666 : S_IFDIR | 0755};
}

static void serve(const struct fuse_in_header *in) {
  switch (in->opcode) {
  case FUSE_INIT: {
    struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
    return answer(in->unique, 0, &out, sizeof out);
  }
  case FUSE_LOOKUP: {
    struct fuse_entry_out out = {.nodeid = FILE_NODE, .attr_valid = 60, .attr = attributes(FILE_NODE)};
    return answer(in->unique, 0, &out, sizeof out);
  }
  case FUSE_GETATTR: {
    struct fuse_attr_out out = {.attr_valid = 60, .attr = attributes(in->nodeid)};
    return answer(in->unique, 0, &out, sizeof out);
  }
  case FUSE_OPEN:
  case FUSE_OPENDIR: {
    struct fuse_open_out out = {0};
    return answer(in->unique, 0, &out, sizeof out);
  }
  case FUSE_READ:
  case FUSE_FORGET:
  case FUSE_INTERRUPT:
    return;
  default:
    return answer(in->unique, -38, NULL, 0); // ENOSYS
  }
}

int main(int argc, char **argv) {
  static char request[1 << 17];
  char options[100];
  fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
  if (argc != 2 || mount("stuck", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
    perror("mount");
    return 1;
  }
  puts("mounted");
  fflush(stdout);
  for (;;)
    if (read(fuse, request, sizeof request) > 0)
      serve((const struct fuse_in_header *)request);
    else
      return 1;
}
