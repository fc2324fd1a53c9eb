// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_TITLE_H
#define HAKO_TITLE_H

// Finds the room that ps(1) reads: the arguments and the environment, which the
// kernel laid out in one piece. Nothing may be read from either after title_set.
void title_init(char **argv);

// "hako: <title>", cut to the room there is.
void title_set(const char *title);

#endif
