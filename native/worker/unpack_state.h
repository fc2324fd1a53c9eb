// SPDX-License-Identifier: Apache-2.0
//
// What the parts of unpacking share. Only unpack*.c include it.
#ifndef HAKO_UNPACK_STATE_H
#define HAKO_UNPACK_STATE_H

#include "key_set.h"
#include "late_directories.h"
#include "parents.h"
#include "unpack.h"

struct unpack {
  const struct unpack_options *options;
  struct unpack_result *result;
  struct failure *f;
  struct tar_reader reader;
  struct parents parents;
  struct late_directories late;
  struct bytes name; // of the current entry, clean
  struct bytes link;
  // HAKO_WHITEOUTS_APPLY: names that this archive made, and directories in which nothing older is left.
  struct key_set ours;
  struct key_set emptied;
  // HAKO_WHITEOUTS_OVERLAY: names that this archive deleted from the layers below.
  struct key_set deleted;
};

// Where an entry goes.
struct place {
  int parent;
  const char *base;
  const char *path; // clean, for messages and for later
};

// The clean name in the tree of a name in the archive, and how many components the archive gave it; or what is wrong.
const char *unpack_name(const struct unpack *u, const char *raw, struct bytes *name, uint32_t *depth);

// The key of a name in an open directory. False with a failure.
bool unpack_key(struct unpack *u, int parent, const char *name, uint64_t *key);

// Takes away whatever is at a place, a whole tree if need be. errno is 0 when it fails: u->f tells all.
int unpack_clear(struct unpack *u, const struct place *place);

// Each makes one kind of entry, in place of what was there (only a directory stays one).
int unpack_file(struct unpack *u, const struct place *place, const struct tar_entry *entry);
int unpack_directory(struct unpack *u, const struct place *place, const struct tar_entry *entry);
int unpack_root(struct unpack *u, const struct tar_entry *entry);
int unpack_symlink(struct unpack *u, const struct place *place, const struct tar_entry *entry);
int unpack_hardlink(struct unpack *u, const struct place *place, const struct tar_entry *entry);
int unpack_node(struct unpack *u, const struct place *place, const struct tar_entry *entry);

// Entries that aufs kept for itself ("/.wh..wh.plnk/…"): nothing of the image.
bool unpack_is_aufs_meta(const struct unpack *u, const char *path);

// 1: the entry was a whiteout and is dealt with; 0: it is none; -1.
int unpack_whiteout(struct unpack *u, const struct place *place);

// To be called for every name that is made: the archive's own, and directories that it left out.
int unpack_note_made(struct unpack *u, int parent, const char *name);

// A directory was made at a name; if the archive had deleted what the layers below have there, it hides their content.
int unpack_note_directory(struct unpack *u, int parent, const char *name, int fd);

// Something is where a directory must be: a whiteout of this archive gives way, nothing else does.
bool unpack_yield_whiteout(void *context, int parent, const char *name);

#endif
