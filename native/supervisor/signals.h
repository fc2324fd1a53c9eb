// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_SIGNALS_H
#define HAKO_SIGNALS_H

// Every signal is blocked, with its default disposition (embedders ignore some,
// and an ignored SIGCHLD would lose exit statuses). SIGCHLD reaps; `terminate`
// is called for SIGTERM and SIGINT; a hang-up or any other one means nothing to
// a process without a terminal. Returns 0 or -1 with errno.
int signals_init(void (*terminate)(void));

#endif
