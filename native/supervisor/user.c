// SPDX-License-Identifier: Apache-2.0
#include "user.h"

#include <string.h>

#include "account_file.h"

#define NAME_SIZE 256 // of a user or a group, as written by the image or the caller

struct lookup {
  struct account_file file; // one after the other: passwd, then group
  char user[NAME_SIZE];
  const char *group;          // NULL: not given
  char name[NAME_SIZE];       // passwd's own name for the user, or ""
};

static bool all_digits(const char *text) {
  return *text && text[strspn(text, "0123456789")] == 0;
}

// Names that look like a number with a twist ("+0", " 0", "-1") are refused even
// where the image has an entry for them: an outer check for "not root" would
// read them otherwise than we do.
static bool sound_name(const char *text) {
  if (!*text || strchr("+-", *text))
    return false;
  for (; *text; text++)
    if ((unsigned char)*text <= ' ' || *text == 0x7f)
      return false;
  return true;
}

static int split(const char *user, struct lookup *lookup, struct failure *failure) {
  if (strlen(user) >= sizeof lookup->user)
    return fail(failure, "user", 0, "the user is too long");
  strcpy(lookup->user, user);
  lookup->group = NULL;
  lookup->name[0] = 0;
  char *colon = strchr(lookup->user, ':');
  if (colon) {
    *colon = 0;
    lookup->group = colon + 1;
  }
  bool sound = (!*lookup->user && !colon) || sound_name(lookup->user);
  if (!sound || (colon && (!sound_name(lookup->group) || strchr(lookup->group, ':'))))
    return fail(failure, "user", 0, "\"", user, "\" is not a user (name or uid, then perhaps :group or :gid)");
  return 0;
}

// Digits are an id and nothing else: an entry named "1000" is never asked.
static int parse_number(const char *text, const char *operation, bool *numeric, uint32_t *id,
                        struct failure *failure) {
  *numeric = all_digits(text);
  if (*numeric && !parse_id(text, id))
    return fail(failure, operation, 0, "\"", text, "\" is not an id (0 to 2147483647, without leading zeros)");
  return 0;
}

// Equal, and not just as far as the field was kept.
static bool is(const struct account_file *file, const char *text) {
  return !file->overlong && strcmp(file->field, text) == 0;
}

static bool field_id(struct account_file *file, uint32_t *id) {
  return account_file_field(file, false) && !file->overlong && parse_id(file->field, id);
}

static void keep_name(const struct account_file *file, char name[NAME_SIZE]) {
  name[0] = 0;
  if (!file->overlong && strlen(file->field) < NAME_SIZE)
    strcpy(name, file->field);
}

// name:password:uid:gid:comment:home:shell. True when this line is the user's.
static bool passwd_line(struct lookup *lookup, bool by_id, uint32_t wanted, struct identity *out) {
  struct account_file *file = &lookup->file;
  char name[NAME_SIZE];
  uint32_t uid, gid;
  if (!account_file_field(file, false))
    return false;
  keep_name(file, name);
  if (!by_id && !is(file, lookup->user))
    return false;
  if (!account_file_field(file, false) || !field_id(file, &uid) || !field_id(file, &gid) || (by_id && uid != wanted))
    return false;
  out->uid = uid;
  out->gid = gid;
  strcpy(lookup->name, name);
  bool home = account_file_field(file, false) && account_file_field(file, false);
  if (home && !file->overlong && file->field[0] == '/')
    strcpy(out->home, file->field);
  return true;
}

static int find_user(int root, struct lookup *lookup, struct identity *out, struct failure *failure) {
  uint32_t wanted = 0;
  bool numeric;
  if (parse_number(lookup->user, "user", &numeric, &wanted, failure) < 0)
    return -1;
  bool by_id = numeric || !*lookup->user;
  out->uid = wanted;
  int opened = account_file_open(&lookup->file, root, "etc/passwd", failure);
  if (opened < 0)
    return -1;
  bool found = false;
  while (opened == 0 && !found && account_file_next_line(&lookup->file))
    found = passwd_line(lookup, by_id, wanted, out);
  account_file_close(&lookup->file);
  if (lookup->file.failed)
    return -1;
  if (!found && !by_id)
    return fail(failure, "user", 0, "there is no user \"", lookup->user, "\" in the container's /etc/passwd");
  return 0;
}

static bool in_groups(const struct identity *identity, uint32_t first, gid_t gid) {
  for (uint32_t i = 0; i < first; i++)
    if (identity->groups[i] == gid)
      return true;
  return false;
}

static int add_group(struct identity *out, gid_t gid, struct failure *failure) {
  if (out->group_count == MOST_GROUPS)
    return fail(failure, "groups", 0, "a user can't be in more than 65536 groups");
  out->groups[out->group_count++] = gid;
  return 0;
}

// name:password:gid:member,member. Gives 1 when this is the group `wanted`.
static int group_line(struct lookup *lookup, const char *wanted, gid_t *gid, bool *member) {
  struct account_file *file = &lookup->file;
  if (!account_file_field(file, false))
    return 0;
  bool named = wanted && is(file, wanted);
  *member = false;
  if (!account_file_field(file, false) || !field_id(file, gid))
    return 0;
  while (!named && *lookup->name && account_file_field(file, true))
    if (is(file, lookup->name))
      *member = true;
  return named;
}

// The id of a group by its name; `wanted` NULL: the groups that the user is a member of.
static int search_groups(int root, struct lookup *lookup, const char *wanted, gid_t *found, struct identity *out,
                         struct failure *failure) {
  int opened = account_file_open(&lookup->file, root, "etc/group", failure);
  if (opened < 0)
    return -1;
  bool done = false;
  int result = 0;
  while (opened == 0 && result == 0 && !done && account_file_next_line(&lookup->file)) {
    gid_t gid;
    bool member;
    done = group_line(lookup, wanted, &gid, &member);
    if (done)
      *found = gid;
    // Only the primary group is looked for, which most lists have again: another one
    // twice does no harm, and a hostile file must not get quadratic time.
    else if (!wanted && member && !in_groups(out, 1, gid))
      result = add_group(out, gid, failure);
  }
  account_file_close(&lookup->file);
  if (lookup->file.failed || result < 0)
    return -1;
  if (wanted && !done)
    return fail(failure, "groups", 0, "there is no group \"", wanted, "\" in the container's /etc/group");
  return 0;
}

static int find_group(int root, struct lookup *lookup, const char *group, gid_t *gid, struct failure *failure) {
  bool numeric;
  if (!sound_name(group))
    return fail(failure, "groups", 0, "\"", group, "\" is not a group (name or gid)");
  if (parse_number(group, "groups", &numeric, gid, failure) < 0)
    return -1;
  return numeric ? 0 : search_groups(root, lookup, group, gid, NULL, failure);
}

int user_resolve(int root, const char *user, const struct string_list *groups, struct identity *out,
                 struct failure *failure) {
  // In the child only, and touched only as far as it is used.
  static struct lookup lookup;
  out->gid = 0;
  out->group_count = 0;
  strcpy(out->home, "/");
  if (split(user, &lookup, failure) < 0 || find_user(root, &lookup, out, failure) < 0)
    return -1;
  if (lookup.group && find_group(root, &lookup, lookup.group, &out->gid, failure) < 0)
    return -1;
  // A process with its primary group missing here could regain access that a
  // group was meant to deny (CVE-2022-36109).
  if (add_group(out, out->gid, failure) < 0)
    return -1;
  // As Docker does: a group that was named stands alone.
  if (!lookup.group && *lookup.name && search_groups(root, &lookup, NULL, NULL, out, failure) < 0)
    return -1;
  for (uint32_t i = 0; i < groups->count; i++) {
    gid_t gid;
    if (find_group(root, &lookup, groups->items[i], &gid, failure) < 0)
      return -1;
    if (!in_groups(out, out->group_count, gid) && add_group(out, gid, failure) < 0)
      return -1;
  }
  return 0;
}
