// SPDX-License-Identifier: Apache-2.0
//
// Who the processes of a container take themselves for, where the kernel knows
// one id only (id_emulation.h). A process that has never changed its ids is who
// its nearest ancestor that has was when the process was made.
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

// A process, told from any other that had or will have its number.
struct subject {
  pid_t process;  // the thread group's leader
  uint64_t start; // proc_pid_stat(5), field 22
};

// Nobody has changed ids yet.
bool id_table_is_empty(void);

// The process of a thread, by the host's procfs. False: it is gone.
bool id_table_subject(int proc, pid_t thread, struct subject *out);

// `initial`: who the tree of processes began as.
struct credentials id_table_find(int proc, struct subject subject, const struct credentials *initial);

// False: there is no room, and nobody in the table is gone.
bool id_table_set(int proc, struct subject subject, const struct credentials *before, const struct credentials *now);

#endif
