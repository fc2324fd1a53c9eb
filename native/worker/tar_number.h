// SPDX-License-Identifier: Apache-2.0
//
// The ways in which archives write numbers. Each gives false for what is not a
// number of that form or does not fit; none ever guesses.
#ifndef HAKO_TAR_NUMBER_H
#define HAKO_TAR_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A header field: octal padded with spaces and NULs (an empty one is 0), or
// GNU's base-256, whose first byte has its top bit set.
bool tar_number_field(const unsigned char *field, size_t width, int64_t *value);

// Decimal digits and nothing else.
bool tar_number_decimal(const char *text, size_t length, uint64_t *value);

// pax(1)'s times: [-]seconds[.fraction]. Nanoseconds are 0 to 999,999,999 and
// count forward, also before the epoch.
bool tar_number_time(const char *text, size_t length, int64_t *seconds, uint32_t *nanoseconds);

#endif
