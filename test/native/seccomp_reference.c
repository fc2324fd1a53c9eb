// SPDX-License-Identifier: Apache-2.0
//
// What libseccomp makes of a list of rules, for comparison: rules on stdin, a BPF
// program on stdout. Lines on stdin:
//
//     default ACTION            first; actions are hexadecimal SECCOMP_RET_* values
//     arch NAME                 as libseccomp names them: x86_64, x86, x32, aarch64, arm
//     rule ACTION NAME [INDEX OP VALUE VALUE2]...
//
// Or, instead of all that, lines "number ARCH NAME", answered by "ARCH NAME NUMBER" where there is such a call.
//
// On stderr: "unknown NAME" for a call that this libseccomp does not know, "refused NAME" for a rule it does not take.
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *what) {
  fprintf(stderr, "seccomp_reference: %s\n", what);
  exit(1);
}

static unsigned next_condition(struct scmp_arg_cmp *condition) {
  const char *index = strtok(NULL, " \n");
  if (!index)
    return 0;
  const char *comparison = strtok(NULL, " \n"), *value = strtok(NULL, " \n"), *second = strtok(NULL, " \n");
  if (!second)
    die("a condition is cut short");
  condition->arg = (unsigned)strtoul(index, NULL, 10);
  condition->op = (enum scmp_compare)strtoul(comparison, NULL, 10);
  condition->datum_a = strtoull(value, NULL, 0);
  condition->datum_b = strtoull(second, NULL, 0);
  return 1;
}

static void add_rule(scmp_filter_ctx filter) {
  uint32_t action = (uint32_t)strtoul(strtok(NULL, " \n"), NULL, 16);
  const char *name = strtok(NULL, " \n");
  struct scmp_arg_cmp conditions[6];
  unsigned count = 0;
  while (count < 6 && next_condition(&conditions[count]))
    count++;
  int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR)
    fprintf(stderr, "unknown %s\n", name);
  else if (seccomp_rule_add_array(filter, action, number, count, conditions) < 0)
    fprintf(stderr, "refused %s\n", name);
}

static void print_number(void) {
  const char *arch = strtok(NULL, " \n"), *name = strtok(NULL, " \n");
  int number = seccomp_syscall_resolve_name_arch(seccomp_arch_resolve_name(arch), name);
  // Negative: a pseudo number, for a call that this architecture makes through another one or doesn't have.
  if (number >= 0)
    printf("%s %s %d\n", arch, name, number);
}

int main(void) {
  char line[4096];
  scmp_filter_ctx filter = NULL;
  int keep_native = 0, asked = 0;
  while (fgets(line, sizeof line, stdin)) {
    const char *word = strtok(line, " \n");
    if (!word)
      continue;
    if (strcmp(word, "number") == 0) {
      print_number();
      asked = 1;
    } else if (strcmp(word, "default") == 0) {
      filter = seccomp_init((uint32_t)strtoul(strtok(NULL, " \n"), NULL, 16));
    } else if (strcmp(word, "arch") == 0) {
      uint32_t arch = seccomp_arch_resolve_name(strtok(NULL, " \n"));
      if (arch == 0)
        die("unknown architecture");
      if (arch == seccomp_arch_native())
        keep_native = 1;
      else if (seccomp_arch_add(filter, arch) < 0)
        die("architecture not added");
    } else if (strcmp(word, "rule") == 0) {
      // Rules are translated for the architectures that are there when they are added.
      if (!keep_native && seccomp_arch_exist(filter, seccomp_arch_native()) == 0)
        seccomp_arch_remove(filter, seccomp_arch_native());
      add_rule(filter);
    }
  }
  if (asked)
    return 0;
  if (!filter || seccomp_export_bpf(filter, STDOUT_FILENO) < 0)
    die("no program");
  return 0;
}
