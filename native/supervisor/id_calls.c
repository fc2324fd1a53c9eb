// SPDX-License-Identifier: Apache-2.0
#include "id_calls.h"

#include <errno.h>
#include <sys/syscall.h>

#define LEAVE UINT32_MAX // (uid_t)-1: not to be changed
#define MOST_GROUPS 65536u // NGROUPS_MAX

static const struct id_answer done;
static const struct id_answer go_on = {.goes_on = true};

static struct id_answer refuse(int errnum) {
  return (struct id_answer){.errnum = errnum};
}

static struct id_answer give(int64_t value) {
  return (struct id_answer){.value = value};
}

struct context {
  const struct id_call *call;
  struct credentials now;
};

static uint32_t argument(const struct context *context, int index) {
  return (uint32_t)context->call->notification->data.args[index];
}

static bool is_root_in_part(const struct ids *uid) {
  return uid->real == 0 || uid->effective == 0 || uid->saved == 0;
}

static struct id_answer become(struct context *context, struct credentials *next) {
  if (is_root_in_part(&context->now.uid) && !is_root_in_part(&next->uid))
    next->kept_rights = context->now.keeps_rights;
  if (id_table_set((pid_t)context->call->notification->pid, next))
    return done;
  return refuse(errno == ESRCH ? ESRCH : EAGAIN);
}

static bool is_root(const struct context *context) {
  return context->now.uid.effective == 0 || context->now.kept_rights;
}

static bool is_own(const struct ids *ids, uint32_t id) {
  return id == ids->real || id == ids->effective || id == ids->saved;
}

// ── those that ask ──

static struct id_answer tell_three(const struct context *context, const struct ids *ids) {
  const __u64 *to = context->call->notification->data.args;
  const struct memory_part parts[] = {{to[0], &ids->real, sizeof ids->real},
                                      {to[1], &ids->effective, sizeof ids->effective},
                                      {to[2], &ids->saved, sizeof ids->saved}};
  return id_memory_write(context->call, parts, 3) ? done : refuse(EFAULT);
}

static struct id_answer tell_groups(const struct context *context) {
  const struct credentials *now = &context->now;
  int32_t room = (int32_t)argument(context, 0);
  if (room < 0 || (room > 0 && (uint32_t)room < now->group_count))
    return refuse(EINVAL);
  const struct memory_part part = {.address = context->call->notification->data.args[1],
                                   .data = now->groups,
                                   .size = now->group_count * sizeof now->groups[0]};
  if (room > 0 && part.size > 0 && !id_memory_write(context->call, &part, 1))
    return refuse(EFAULT);
  return give(now->group_count);
}

// ── those that change the process's ids: `of` picks the kind ──

static struct id_answer set_one(struct context *context, struct ids *of, struct credentials *next) {
  uint32_t id = argument(context, 0);
  if (id == LEAVE)
    return refuse(EINVAL);
  if (is_root(context))
    *of = (struct ids){id, id, id, id};
  else if (id == of->real || id == of->saved)
    of->effective = of->filesystem = id;
  else
    return refuse(EPERM);
  return become(context, next);
}

// setreuid(2): the saved id follows when the real one is set, or the effective one to another than the real one.
static struct id_answer set_two(struct context *context, struct ids *of, struct credentials *next) {
  uint32_t real = argument(context, 0);
  uint32_t effective = argument(context, 1);
  struct ids old = *of;
  if (!is_root(context) && ((real != LEAVE && real != old.real && real != old.effective) ||
                            (effective != LEAVE && !is_own(&old, effective))))
    return refuse(EPERM);
  if (real != LEAVE)
    of->real = real;
  if (effective != LEAVE)
    of->effective = effective;
  if (real != LEAVE || (effective != LEAVE && effective != old.real))
    of->saved = of->effective;
  of->filesystem = of->effective;
  return become(context, next);
}

static bool leaves(uint32_t id, uint32_t old) {
  return id == LEAVE || id == old;
}

static struct id_answer set_three(struct context *context, struct ids *of, struct credentials *next) {
  uint32_t *const ids[] = {&of->real, &of->effective, &of->saved};
  struct ids old = *of;
  // What changes nothing leaves the filesystem's id as well.
  if (leaves(argument(context, 0), old.real) && leaves(argument(context, 2), old.saved) &&
      (argument(context, 1) == LEAVE || (argument(context, 1) == old.effective && old.filesystem == old.effective)))
    return done;
  for (int i = 0; i < 3; i++) {
    uint32_t id = argument(context, i);
    if (id == LEAVE)
      continue;
    if (!is_root(context) && !is_own(&old, id))
      return refuse(EPERM);
    *ids[i] = id;
  }
  of->filesystem = of->effective;
  return become(context, next);
}

// It has no way to tell of a failure.
static struct id_answer set_filesystem(struct context *context, struct ids *of, struct credentials *next) {
  uint32_t id = argument(context, 0);
  uint32_t old = of->filesystem;
  if (id != LEAVE && (is_root(context) || is_own(of, id) || id == old)) {
    of->filesystem = id;
    become(context, next);
  }
  return give(old);
}

static struct id_answer set_groups(struct context *context, struct credentials *next) {
  uint32_t count = argument(context, 0);
  if (!is_root(context))
    return refuse(EPERM);
  if (count > MOST_GROUPS)
    return refuse(EINVAL);
  next->group_count = count < MOST_EMULATED_GROUPS ? count : MOST_EMULATED_GROUPS;
  size_t size = next->group_count * sizeof next->groups[0];
  if (size > 0 && !id_memory_read(context->call, context->call->notification->data.args[1], next->groups, size))
    return refuse(EFAULT);
  return become(context, next);
}

// The kernel is to know of it, too: it has capabilities to keep.
static struct id_answer keep_rights(struct context *context, struct credentials *next) {
  uint32_t keeps = argument(context, 1);
  if (keeps <= 1) { // or the kernel refuses it
    next->keeps_rights = keeps == 1;
    become(context, next);
  }
  return go_on;
}

// ── those that change files ──

static bool in_groups(const struct credentials *now, uint32_t gid) {
  bool found = gid == now->gid.filesystem;
  for (uint32_t i = 0; i < now->group_count; i++)
    found |= gid == now->groups[i];
  return found;
}

static struct id_answer change_owner(const struct context *context, int first) {
  uint32_t uid = argument(context, first);
  uint32_t gid = argument(context, first + 1);
  bool there = (uid == 0 || uid == LEAVE) && (gid == 0 || gid == LEAVE);
  if (is_root(context))
    return there ? go_on : done;
  bool may = (uid == LEAVE || uid == context->now.uid.filesystem) && (gid == LEAVE || in_groups(&context->now, gid));
  return may ? done : refuse(EPERM);
}

// ── all of them ──

static struct id_answer dispatch(struct context *context) {
  const struct credentials *now = &context->now;
  struct credentials next = *now;
  switch (context->call->notification->data.nr) {
  case SYS_getuid:
    return give(now->uid.real);
  case SYS_geteuid:
    return give(now->uid.effective);
  case SYS_getgid:
    return give(now->gid.real);
  case SYS_getegid:
    return give(now->gid.effective);
  case SYS_getresuid:
    return tell_three(context, &now->uid);
  case SYS_getresgid:
    return tell_three(context, &now->gid);
  case SYS_getgroups:
    return tell_groups(context);
  case SYS_setuid:
    return set_one(context, &next.uid, &next);
  case SYS_setgid:
    return set_one(context, &next.gid, &next);
  case SYS_setreuid:
    return set_two(context, &next.uid, &next);
  case SYS_setregid:
    return set_two(context, &next.gid, &next);
  case SYS_setresuid:
    return set_three(context, &next.uid, &next);
  case SYS_setresgid:
    return set_three(context, &next.gid, &next);
  case SYS_setfsuid:
    return set_filesystem(context, &next.uid, &next);
  case SYS_setfsgid:
    return set_filesystem(context, &next.gid, &next);
  case SYS_setgroups:
    return set_groups(context, &next);
  case SYS_prctl:
    return keep_rights(context, &next);
#ifdef SYS_chown
  case SYS_chown:
  case SYS_lchown:
#endif
  case SYS_fchown:
    return change_owner(context, 1);
  case SYS_fchownat:
    return change_owner(context, 2);
  default:
    return go_on;
  }
}

struct id_answer id_call_answer(const struct id_call *call, const struct credentials *initial) {
  struct context context = {.call = call};
  if (!id_table_find((pid_t)call->notification->pid, initial, &context.now))
    return refuse(ESRCH);
  return dispatch(&context);
}
