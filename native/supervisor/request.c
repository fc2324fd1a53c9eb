// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include <linux/filter.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "../common/fd.h"
#include "../common/syscalls.h"

// Far above what a plan has, and low enough that a hostile count can't make the
// arena large: ops and steps are much bigger here than on the wire.
#define MOST_OPS 4096u
#define MOST_STEPS 1024u
#define MOST_EXTRA_FDS 64u

#define NAMESPACES                                                                                      \
  ((uint32_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
              CLONE_NEWNET | CLONE_NEWTIME))

// What ops and steps can take besides the rest, which is at most twice its bytes on the wire.
#define MOST_BESIDES (MOST_OPS * sizeof(struct setup_op) + MOST_STEPS * sizeof(struct cgroup_step))

static void require(struct wire_reader *r, bool sound) {
  if (!sound)
    r->failed = true;
}

static struct idmap read_idmap(struct wire_reader *r) {
  struct idmap map = {.method = wire_u8(r)};
  map.uid_map = wire_str(r);
  map.gid_map = wire_str(r);
  map.deny_setgroups = wire_u8(r) != 0;
  map.newuidmap = wire_str(r);
  map.newgidmap = wire_str(r);
  require(r, map.method <= HAKO_IDMAP_HELPERS);
  return map;
}

static void read_joins(struct start_request *out, struct wire_reader *r) {
  out->join_count = wire_count(r, 8, MOST_JOINS);
  out->joins = arena_allocate(&out->arena, r, out->join_count, sizeof *out->joins);
  for (uint32_t i = 0; i < out->join_count && !r->failed; i++) {
    uint32_t type = wire_u32(r);
    uint32_t index = wire_u32(r);
    bool one = type != 0 && (type & (type - 1)) == 0 && (type & ~NAMESPACES) == 0;
    require(r, one && (type & out->unshare) == 0 && index < MOST_EXTRA_FDS);
    out->joins[i] = (struct namespace_join){.type = type, .fd = HAKO_FD_EXTRA + (int)(index % MOST_EXTRA_FDS)};
  }
}

static void read_steps(struct start_request *out, struct wire_reader *r) {
  out->step_count = wire_count(r, 5, MOST_STEPS);
  out->steps = arena_allocate(&out->arena, r, out->step_count, sizeof *out->steps);
  for (uint32_t i = 0; i < out->step_count && !r->failed; i++) {
    struct cgroup_step step = {.kind = wire_u8(r)};
    step.path = wire_str(r);
    if (step.kind == HAKO_CGROUP_WRITE || step.kind == HAKO_CGROUP_DEVICES)
      step.value = wire_bytes(r);
    require(r, step.kind >= HAKO_CGROUP_MKDIR && step.kind <= HAKO_CGROUP_DEVICES);
    // struct bpf_insn is eight bytes.
    require(r, step.kind != HAKO_CGROUP_DEVICES || (step.value.length > 0 && step.value.length % 8 == 0));
    out->steps[i] = step;
  }
}

static void read_mount(struct arena *arena, struct wire_reader *r, struct setup_op *op) {
  op->mount.type = wire_str(r);
  op->source = wire_str(r);
  op->path = wire_str(r);
  op->mount.attributes = wire_u64(r);
  uint32_t count = wire_count(r, 8, MOST_STRINGS);
  struct mount_option *options = arena_allocate(arena, r, count, sizeof *options);
  for (uint32_t i = 0; i < count && !r->failed; i++) {
    options[i].key = wire_str(r);
    options[i].value = wire_str(r);
  }
  op->mount.options = options;
  op->mount.option_count = count;
  op->flags = wire_u32(r);
}

static void read_bind(struct wire_reader *r, struct setup_op *op) {
  op->source = wire_str(r);
  op->path = wire_str(r);
  op->bind.set = wire_u64(r);
  op->bind.clear = wire_u64(r);
  op->bind.propagation = wire_u64(r);
  op->flags = wire_u32(r);
  require(r, (op->flags & HAKO_BIND_HOST) || !(op->flags & HAKO_BIND_IDMAP));
}

static void read_node(struct wire_reader *r, struct setup_op *op) {
  op->path = wire_str(r);
  op->mode = wire_u32(r);
  op->node.major = wire_u32(r);
  op->node.minor = wire_u32(r);
  op->node.uid = wire_u32(r);
  op->node.gid = wire_u32(r);
}

static void read_op(struct arena *arena, struct wire_reader *r, struct setup_op *op) {
  static char none[1];
  *op = (struct setup_op){.kind = wire_u8(r), .path = none, .source = none, .tree = -1};
  switch (op->kind) {
  case HAKO_OP_PROPAGATION:
    op->bits = wire_u64(r);
    break;
  case HAKO_OP_ROOT_ATTR:
    op->path = wire_str(r);
    op->bits = wire_u64(r);
    break;
  case HAKO_OP_MOUNT:
    read_mount(arena, r, op);
    break;
  case HAKO_OP_BIND:
    read_bind(r, op);
    break;
  case HAKO_OP_MKDIR:
    op->path = wire_str(r);
    op->mode = wire_u32(r);
    break;
  case HAKO_OP_SYMLINK:
    op->source = wire_str(r);
    op->path = wire_str(r);
    break;
  case HAKO_OP_MKNOD:
    read_node(r, op);
    break;
  case HAKO_OP_MASK:
  case HAKO_OP_READONLY:
    op->path = wire_str(r);
    break;
  case HAKO_OP_SYSCTL:
    op->path = wire_str(r);
    op->source = wire_str(r);
    break;
  case HAKO_OP_LAYERS:
    op->source = wire_str(r);
    break;
  case HAKO_OP_PIVOT:
  case HAKO_OP_CONSOLE:
  case HAKO_OP_LOOPBACK:
    break;
  default:
    r->failed = true;
  }
}

static void read_ops(struct start_request *out, struct wire_reader *r) {
  out->op_count = wire_count(r, 1, MOST_OPS);
  out->ops = arena_allocate(&out->arena, r, out->op_count, sizeof *out->ops);
  for (uint32_t i = 0; i < out->op_count && !r->failed; i++)
    read_op(&out->arena, r, &out->ops[i]);
}

static void read_rlimits(struct arena *arena, struct wire_reader *r, struct process_request *out) {
  out->rlimit_count = wire_count(r, 20, RLIM_NLIMITS);
  out->rlimits = arena_allocate(arena, r, out->rlimit_count, sizeof *out->rlimits);
  for (uint32_t i = 0; i < out->rlimit_count && !r->failed; i++) {
    struct rlimit_setting *setting = &out->rlimits[i];
    setting->resource = wire_u32(r);
    setting->limit.rlim_cur = wire_u64(r);
    setting->limit.rlim_max = wire_u64(r);
    require(r, setting->resource < RLIM_NLIMITS);
  }
}

static bool is_filter(const struct wire_bytes *program) {
  return program->length % sizeof(struct sock_filter) == 0 &&
         program->length / sizeof(struct sock_filter) <= BPF_MAXINSNS;
}

// `told_later`: what to run comes later.
static void read_process(struct arena *arena, struct wire_reader *r, struct process_request *out, uint32_t flags,
                         bool told_later) {
  out->argv = arena_read_strings(arena, r, 0);
  out->env = arena_read_strings(arena, r, 1); // HOME
  out->cwd = wire_str(r);
  out->user = wire_str(r);
  out->groups = arena_read_strings(arena, r, 0);
  out->flags = wire_u32(r);
  out->bounding = wire_u64(r);
  out->effective = wire_u64(r);
  out->permitted = wire_u64(r);
  out->inheritable = wire_u64(r);
  out->ambient = wire_u64(r);
  out->umask = wire_u32(r);
  read_rlimits(arena, r, out);
  out->oom_score_adj = wire_i32(r);
  out->seccomp = wire_bytes(r);
  out->seccomp_flags = wire_u32(r);
  out->id_emulation = wire_bytes(r);
  out->apparmor = wire_str(r);
  out->rows = wire_u16(r);
  out->columns = wire_u16(r);
  require(r, (out->argv.count > 0) != told_later && (out->flags & ~flags) == 0 && out->umask <= 0777);
  require(r, is_filter(&out->seccomp) && is_filter(&out->id_emulation));
}

static struct sink_request read_sink(struct wire_reader *r) {
  static char none[1];
  struct sink_request sink = {.kind = wire_u8(r), .name = none};
  switch (sink.kind) {
  case HAKO_SINK_NONE:
    break;
  case HAKO_SINK_JSON_FILE:
    sink.name = wire_str(r);
    sink.size = wire_u64(r);
    sink.max_files = wire_u32(r);
    sink.compress = wire_u8(r) != 0;
    sink.attrs = wire_bytes(r);
    break;
  case HAKO_SINK_JOURNAL:
    sink.name = wire_str(r);
    sink.size = wire_u64(r);
    sink.blocking = wire_u8(r) != 0;
    break;
  default:
    r->failed = true;
  }
  // A name in the state directory and nothing but.
  require(r, sink.kind == HAKO_SINK_NONE || (sink.name[0] != 0 && sink.name[0] != '.' && !strchr(sink.name, '/')));
  return sink;
}

#define PROCESS_FLAGS (HAKO_PROCESS_TTY | HAKO_PROCESS_NO_NEW_PRIVS | HAKO_PROCESS_CREATE_CWD)
#define START_FLAGS \
  (HAKO_START_DETACHED | HAKO_START_DURABLE | HAKO_START_STDIN | HAKO_START_STDIN_ONCE | HAKO_START_WAIT)
#define GO_FLAGS HAKO_GO_STDIN
#define EXEC_FLAGS (HAKO_EXEC_DETACHED | HAKO_EXEC_STDIN)
#define ATTACH_FLAGS (HAKO_ATTACH_STDIN | HAKO_ATTACH_STDOUT | HAKO_ATTACH_STDERR)

static int finish(const struct wire_reader *r, struct arena *arena, struct failure *failure, const char *request) {
  if (wire_done(r))
    return 0;
  arena_free(arena);
  return fail(failure, "protocol", 0, "malformed ", request, " request");
}

int request_decode_start(void *payload, size_t length, struct start_request *out, struct failure *failure) {
  memset(out, 0, sizeof *out);
  struct wire_reader r = wire_reader(payload, length);
  if (wire_u32(&r) != HAKO_PROTOCOL_VERSION)
    return fail(failure, "protocol", 0, "the supervisor and the library speak different versions");
  if (arena_map(&out->arena, 2 * length + MOST_BESIDES, MAP_PRIVATE, failure) < 0)
    return -1;
  out->flags = wire_u32(&r);
  out->attach = wire_u32(&r);
  out->title = wire_str(&r);
  out->unshare = wire_u32(&r);
  require(&r, (out->flags & ~START_FLAGS) == 0 && (out->attach & ~ATTACH_FLAGS) == 0);
  require(&r, (out->unshare & ~NAMESPACES) == 0);
  read_joins(out, &r);
  out->idmap = read_idmap(&r);
  // A user namespace without a map is one in which nothing can be done.
  require(&r, ((out->unshare & CLONE_NEWUSER) != 0) == (out->idmap.method != HAKO_IDMAP_NONE));
  read_steps(out, &r);
  out->oom_file = wire_str(&r);
  out->oom_key = wire_str(&r);
  out->hostname = wire_str(&r);
  out->domainname = wire_str(&r);
  read_ops(out, &r);
  read_process(&out->arena, &r, &out->process, PROCESS_FLAGS | HAKO_PROCESS_INIT, out->flags & HAKO_START_WAIT);
  out->sink = read_sink(&r);
  return finish(&r, &out->arena, failure, "START");
}

int request_decode_exec(void *payload, size_t length, struct exec_request *out, struct failure *failure) {
  memset(out, 0, sizeof *out);
  struct wire_reader r = wire_reader(payload, length);
  if (arena_map(&out->arena, 2 * length + MOST_BESIDES, MAP_PRIVATE, failure) < 0)
    return -1;
  out->id = wire_str(&r);
  require(&r, strlen(out->id) <= MOST_EXEC_ID);
  out->flags = wire_u32(&r);
  out->attach = wire_u32(&r);
  require(&r, (out->flags & ~EXEC_FLAGS) == 0 && (out->attach & ~ATTACH_FLAGS) == 0);
  out->cgroups = arena_read_strings(&out->arena, &r, 0);
  read_process(&out->arena, &r, &out->process, PROCESS_FLAGS, false);
  return finish(&r, &out->arena, failure, "EXEC");
}

// Each string of the lists takes at least four bytes on the wire, and a pointer here.
int request_share(struct arena *arena, struct failure *failure) {
  return arena_map(arena, 3u * HAKO_MAX_REQUEST, MAP_SHARED, failure);
}

const struct go_request *request_decode_go(struct arena *arena, const void *payload, size_t length,
                                           struct failure *failure) {
  struct wire_reader r = {0};
  struct go_request *out = arena_allocate(arena, &r, 1, sizeof *out);
  uint8_t *copy = arena_allocate(arena, &r, length, 1);
  if (r.failed) {
    fail(failure, "protocol", 0, "a GO request that is too long");
    return NULL;
  }
  memcpy(copy, payload, length);
  r = wire_reader(copy, length);
  out->flags = wire_u32(&r);
  out->argv = arena_read_strings(arena, &r, 0);
  out->env = arena_read_strings(arena, &r, 1); // HOME
  out->cwd = wire_str(&r);
  require(&r, out->argv.count > 0 && (out->flags & ~GO_FLAGS) == 0);
  if (wire_done(&r))
    return out;
  fail(failure, "protocol", 0, "malformed GO request");
  return NULL;
}
