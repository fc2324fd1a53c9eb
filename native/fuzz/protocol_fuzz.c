// SPDX-License-Identifier: Apache-2.0
//
// START and EXEC from bytes. What decodes is walked to its end, so that a string
// without its NUL or a list without its NULL is read past the payload, where the
// sanitizer sees it.
#include <stdlib.h>
#include <string.h>

#include "../supervisor/request.h"

#define CHECK(condition) \
  do {                   \
    if (!(condition))    \
      abort();           \
  } while (0)

static size_t total;

static void text(const char *string) {
  total += strlen(string);
}

static void bytes(struct wire_bytes value) {
  for (uint32_t i = 0; i < value.length; i++)
    total += value.data[i];
}

static void strings(const struct string_list *list) {
  for (uint32_t i = 0; i < list->count; i++)
    text(list->items[i]);
  CHECK(list->items[list->count] == NULL);
}

static void process(const struct process_request *request) {
  strings(&request->argv);
  strings(&request->env);
  strings(&request->groups);
  text(request->cwd);
  text(request->user);
  text(request->apparmor);
  bytes(request->seccomp);
  CHECK(request->seccomp.length % 8 == 0);
  bytes(request->id_emulation);
  CHECK(request->id_emulation.length % 8 == 0);
  for (uint32_t i = 0; i < request->rlimit_count; i++)
    CHECK(request->rlimits[i].resource < RLIM_NLIMITS);
  // Room for HOME.
  request->env.items[request->env.count] = request->argv.items[0];
  request->env.items[request->env.count + 1] = NULL;
}

static void ops(const struct start_request *request) {
  for (uint32_t i = 0; i < request->op_count; i++) {
    const struct setup_op *op = &request->ops[i];
    text(op->path);
    text(op->source);
    if (op->kind != HAKO_OP_MOUNT)
      continue;
    text(op->mount.type);
    for (uint32_t j = 0; j < op->mount.option_count; j++) {
      text(op->mount.options[j].key);
      text(op->mount.options[j].value);
    }
  }
}

static void start(struct start_request *request) {
  text(request->title);
  text(request->idmap.uid_map);
  text(request->idmap.gid_map);
  text(request->idmap.newuidmap);
  text(request->idmap.newgidmap);
  text(request->oom_file);
  text(request->oom_key);
  text(request->hostname);
  text(request->domainname);
  for (uint32_t i = 0; i < request->join_count; i++)
    CHECK(request->joins[i].fd >= HAKO_FD_EXTRA && (request->joins[i].type & request->unshare) == 0);
  for (uint32_t i = 0; i < request->step_count; i++) {
    text(request->steps[i].path);
    bytes(request->steps[i].value);
  }
  ops(request);
  process(&request->process);
  CHECK((request->process.argv.count > 0) != ((request->flags & HAKO_START_WAIT) != 0));
  text(request->sink.name);
  bytes(request->sink.attrs);
  CHECK(!strchr(request->sink.name, '/'));
}

static void go(const struct go_request *request) {
  CHECK(request->argv.count > 0);
  strings(&request->argv);
  strings(&request->env);
  text(request->cwd);
  // Room for HOME.
  request->env.items[request->env.count] = request->argv.items[0];
  request->env.items[request->env.count + 1] = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct failure failure;
  struct start_request first;
  struct exec_request second;
  // Of exactly this size: one byte more is somebody else's.
  uint8_t *payload = malloc(size > 0 ? size : 1);
  memcpy(payload, data, size);
  if (request_decode_start(payload, size, &first, &failure) == 0) {
    start(&first);
    arena_free(&first.arena);
  }
  memcpy(payload, data, size);
  if (request_decode_exec(payload, size, &second, &failure) == 0) {
    strings(&second.cgroups);
    process(&second.process);
    CHECK(second.process.argv.count > 0);
    arena_free(&second.arena);
  }
  memcpy(payload, data, size);
  struct arena told;
  if (request_share(&told, &failure) == 0) {
    const struct go_request *third = request_decode_go(&told, payload, size, &failure);
    if (third)
      go(third);
    arena_free(&told);
  }
  free(payload);
  return 0;
}
