// SPDX-License-Identifier: Apache-2.0
//
// START, GO and EXEC as structs. Strings and bytes point into the payload, which is
// changed and must live as long as the request; lists live in the request's own arena.
#ifndef HAKO_REQUEST_H
#define HAKO_REQUEST_H

#include <sys/resource.h>

#include "../common/idmap.h"
#include "arena.h"

#define MOST_JOINS 8u // there are eight kinds

struct namespace_join {
  uint32_t type; // one CLONE_NEW*
  int fd;        // the descriptor itself, HAKO_FD_EXTRA + index
};

struct cgroup_step {
  uint8_t kind; // enum hako_cgroup_step
  const char *path;
  struct wire_bytes value; // WRITE, DEVICES
};

struct mount_option {
  const char *key;
  const char *value; // "": a flag
};

struct setup_op {
  uint8_t kind;       // enum hako_setup_op
  uint32_t flags;     // HAKO_TARGET_* | HAKO_BIND_*
  uint32_t mode;      // MKDIR, MKNOD
  const char *path;   // the target inside the root; SYSCTL: the name
  const char *source; // MOUNT, BIND, LAYERS; SYMLINK: the target text; SYSCTL: the value
  int tree;           // what of the host host_trees_open has opened for it; else negative
  union {
    struct {
      const char *type;
      uint64_t attributes;
      struct mount_option *options;
      uint32_t option_count;
    } mount;
    struct {
      uint64_t set, clear, propagation;
    } bind;
    struct {
      uint32_t major, minor, uid, gid;
    } node;
    uint64_t bits; // PROPAGATION, ROOT_ATTR
  };
};

struct rlimit_setting {
  uint32_t resource;
  struct rlimit limit;
};

struct process_request {
  struct string_list argv;
  struct string_list env; // room for one more entry and the NULL
  const char *cwd;
  const char *user;
  struct string_list groups;
  uint32_t flags; // HAKO_PROCESS_*
  uint64_t bounding, effective, permitted, inheritable, ambient;
  uint32_t umask;
  struct rlimit_setting *rlimits;
  uint32_t rlimit_count;
  int32_t oom_score_adj;
  struct wire_bytes seccomp;
  uint32_t seccomp_flags;
  struct wire_bytes id_emulation;
  const char *apparmor;
  uint16_t rows, columns;
};

struct sink_request {
  uint8_t kind;     // enum hako_sink
  const char *name; // JSON_FILE, JOURNAL: file name in the state directory
  uint64_t size;    // JSON_FILE: max size; JOURNAL: capacity
  uint32_t max_files;
  bool compress;
  struct wire_bytes attrs;
  bool blocking; // JOURNAL
};

struct start_request {
  struct arena arena;
  uint32_t flags, attach;
  const char *title;
  uint32_t unshare;
  struct namespace_join *joins;
  uint32_t join_count;
  struct idmap idmap;
  struct cgroup_step *steps;
  uint32_t step_count;
  const char *oom_file;
  const char *oom_key;
  const char *hostname;
  const char *domainname;
  struct setup_op *ops;
  uint32_t op_count;
  struct process_request process;
  struct sink_request sink;
};

#define MOST_EXEC_ID 64u

struct exec_request {
  struct arena arena;
  const char *id;
  uint32_t flags, attach;
  struct string_list cgroups;
  struct process_request process;
};

struct go_request {
  uint32_t flags; // HAKO_GO_*
  struct string_list argv;
  struct string_list env; // room for one more entry and the NULL
  const char *cwd;
};

// They fail with operation "protocol" when anything is unsound, or "memory".
// On failure there is nothing to free; else the arena, in the end.
int request_decode_start(void *payload, size_t length, struct start_request *out, struct failure *failure);
int request_decode_exec(void *payload, size_t length, struct exec_request *out, struct failure *failure);

// An arena that processes made from here on share, for one GO of any size. All of that
// lies in it, the payload's copy and the struct too: they find it at the same address.
int request_share(struct arena *arena, struct failure *failure);
const struct go_request *request_decode_go(struct arena *arena, const void *payload, size_t length,
                                           struct failure *failure);

#endif
