// SPDX-License-Identifier: Apache-2.0
//
// Who the process is to be, by the container's own /etc/passwd and /etc/group
// and Docker's rules: "name|uid[:group|gid]".
#ifndef HAKO_USER_H
#define HAKO_USER_H

#include <limits.h>
#include <sys/types.h>

#include "request.h"

#define MOST_GROUPS 65536u // NGROUPS_MAX of the kernel

struct identity {
  uid_t uid;
  gid_t gid;
  uint32_t group_count;
  char home[PATH_MAX];
  gid_t groups[MOST_GROUPS]; // supplementary; the first one is gid
};

int user_resolve(int root, const char *user, const struct string_list *groups, struct identity *out,
                 struct failure *failure);

#endif
