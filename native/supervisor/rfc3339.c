// SPDX-License-Identifier: Apache-2.0
#include "rfc3339.h"

#include <time.h>

#define NS_PER_S 1000000000

int64_t realtime_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

// Not snprintf: this runs for every chunk of output.
static char *put_digits(char *out, unsigned value, int width) {
  for (int i = width - 1; i >= 0; i--, value /= 10)
    out[i] = (char)('0' + value % 10);
  return out + width;
}

size_t rfc3339_nano(char out[static RFC3339_MAX], int64_t ns_since_epoch) {
  time_t seconds = (time_t)(ns_since_epoch / NS_PER_S);
  unsigned fraction = (unsigned)(ns_since_epoch % NS_PER_S);
  struct tm utc;
  gmtime_r(&seconds, &utc);
  char *at = put_digits(out, (unsigned)utc.tm_year + 1900, 4);
  *at++ = '-';
  at = put_digits(at, (unsigned)utc.tm_mon + 1, 2);
  *at++ = '-';
  at = put_digits(at, (unsigned)utc.tm_mday, 2);
  *at++ = 'T';
  at = put_digits(at, (unsigned)utc.tm_hour, 2);
  *at++ = ':';
  at = put_digits(at, (unsigned)utc.tm_min, 2);
  *at++ = ':';
  at = put_digits(at, (unsigned)utc.tm_sec, 2);
  if (fraction != 0) {
    int width = 9;
    for (; fraction % 10 == 0; fraction /= 10)
      width--;
    *at++ = '.';
    at = put_digits(at, fraction, width);
  }
  *at++ = 'Z';
  *at = '\0';
  return (size_t)(at - out);
}
