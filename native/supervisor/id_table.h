// SPDX-License-Identifier: Apache-2.0
//
// Who the processes of a container take themselves for, where the kernel knows
// one id only (id_emulation.h). Each process carries the number of its
// credentials in a limit that means nothing since Linux 2.4.25, RLIMIT_LOCKS:
// the kernel hands it on to children and keeps it over execve, as it does with
// credentials(7), and nobody has to be followed.
#ifndef HAKO_ID_TABLE_H
#define HAKO_ID_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MOST_EMULATED_GROUPS 32

// credentials(7), for one kind of id.
struct ids {
  uint32_t real, effective, saved, filesystem;
};

struct credentials {
  struct ids uid, gid;
  bool keeps_rights; // PR_SET_KEEPCAPS: a change to another user leaves it root's rights
  bool kept_rights;  // which it did
  uint32_t group_count;
  uint32_t groups[MOST_EMULATED_GROUPS];
};

// `thread`: any of the process's. `initial`: who the tree of processes began as. False: the process is gone.
bool id_table_find(pid_t thread, const struct credentials *initial, struct credentials *out);

// False: with errno. EAGAIN: more different credentials than there is room for.
bool id_table_set(pid_t thread, const struct credentials *now);

#endif
