// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_RFC3339_H
#define HAKO_RFC3339_H

#include <stddef.h>
#include <stdint.h>

#define RFC3339_MAX 32 // bytes of the longest form, with the NUL

// Nanoseconds since the epoch by CLOCK_REALTIME.
int64_t realtime_ns(void);

// Writes the UTC time as Go's RFC3339Nano does ("2026-11-24T05:29:34.1234Z": no
// trailing zeros of the fraction), which is what readers of Docker's files
// expect. Returns the length without the NUL.
size_t rfc3339_nano(char out[static RFC3339_MAX], int64_t ns_since_epoch);

#endif
