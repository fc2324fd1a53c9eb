// SPDX-License-Identifier: Apache-2.0
#include "exit_record.h"

#include <fcntl.h>
#include <stdio.h> // renameat
#include <string.h>

#include "../common/failure.h"
#include "../common/fd.h"
#include "../protocol.h"
#include "rfc3339.h"

#define PREPARED HAKO_EXIT_RECORD ".new"
#define RECORD_SIZE 160 // filled up with spaces, which JSON allows at the end

static int prepared = -1;

int exit_record_prepare(int directory) {
  char blank[RECORD_SIZE];
  memset(blank, ' ', sizeof blank);
  prepared = openat(directory, PREPARED, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  return prepared < 0 ? -1 : write_all(prepared, blank, sizeof blank);
}

void exit_record_remove_old(int directory) {
  unlinkat(directory, HAKO_EXIT_RECORD, 0);
}

void exit_record_abandon(int directory) {
  if (prepared < 0)
    return; // what has the name is another supervisor's
  close_fd(&prepared);
  unlinkat(directory, PREPARED, 0);
}

static void put(char **out, const char *text) {
  size_t length = strlen(text);
  memcpy(*out, text, length);
  *out += length;
}

int exit_record_write(int directory, const struct exit_status *status, bool durable) {
  char record[RECORD_SIZE], number[DECIMAL_SIZE], stamp[RFC3339_MAX];
  char *out = record;
  memset(record, ' ', sizeof record);
  rfc3339_nano(stamp, status->finished_at);
  put(&out, "{\"exitCode\":");
  put(&out, decimal(number, status->code));
  put(&out, ",\"signal\":");
  put(&out, decimal(number, status->signal));
  put(&out, status->oom_killed ? ",\"oomKilled\":true" : ",\"oomKilled\":false");
  put(&out, ",\"finishedAt\":\"");
  put(&out, stamp);
  put(&out, "\"}");
  record[RECORD_SIZE - 1] = '\n';
  if (pwrite(prepared, record, sizeof record, 0) != (ssize_t)sizeof record)
    return -1;
  if (durable && fsync(prepared) < 0)
    return -1;
  if (renameat(directory, PREPARED, directory, HAKO_EXIT_RECORD) < 0)
    return -1;
  close_fd(&prepared);
  return durable ? fsync(directory) : 0;
}
