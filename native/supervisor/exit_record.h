// SPDX-License-Identifier: Apache-2.0
//
// HAKO_EXIT_RECORD: what is left of a container's run when nobody was there to
// be told. It appears whole or not at all.
#ifndef HAKO_EXIT_RECORD_H
#define HAKO_EXIT_RECORD_H

#include <stdbool.h>

#include "task.h"

// Sets the disk space aside under another name, so that the record can be
// written when the disk has become full. Returns 0 or -1 with errno.
int exit_record_prepare(int directory);

// The record of an earlier run no longer holds.
void exit_record_remove_old(int directory);

// `durable`: it has reached the disk on return. Returns 0 or -1 with errno.
int exit_record_write(int directory, const struct exit_status *status, bool durable);

// What was prepared is not needed.
void exit_record_abandon(int directory);

#endif
