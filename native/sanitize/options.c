// SPDX-License-Identifier: Apache-2.0
//
// Only in builds with sanitizers: a supervisor is born without an environment, and with /dev/null for stderr, so
// where its reports go is compiled in.

// The runtime looks for them by name in the program's dynamic symbols, which -fvisibility=hidden would keep them out of.
#define SEEN_BY_RUNTIME __attribute__((visibility("default")))

SEEN_BY_RUNTIME const char *__asan_default_options(void);
SEEN_BY_RUNTIME const char *__ubsan_default_options(void);

// No leak check: it stops the process with ptrace, which a container's seccomp filter and pid namespace forbid.
const char *__asan_default_options(void) {
  return "detect_leaks=0:abort_on_error=1:log_path=" HAKO_SANITIZER_LOG;
}

const char *__ubsan_default_options(void) {
  return "print_stacktrace=1:log_path=" HAKO_SANITIZER_LOG;
}
