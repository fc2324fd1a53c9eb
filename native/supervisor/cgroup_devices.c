// SPDX-License-Identifier: Apache-2.0
#include <linux/bpf.h>
#include <string.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "cgroup.h"

#define MOST_INSTRUCTIONS 4096u // what an unprivileged verifier would take; a plan has dozens

static int load(struct wire_bytes program) {
  static struct bpf_insn instructions[MOST_INSTRUCTIONS]; // aligned, as the payload isn't
  memcpy(instructions, program.data, program.length);
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = (uint64_t)(uintptr_t)instructions;
  attributes.insn_cnt = program.length / (uint32_t)sizeof instructions[0];
  attributes.license = (uint64_t)(uintptr_t) "Apache-2.0";
  return sys_bpf(BPF_PROG_LOAD, &attributes, sizeof attributes);
}

int cgroup_attach_devices(const char *directory, struct wire_bytes program, struct failure *failure) {
  if (program.length > MOST_INSTRUCTIONS * sizeof(struct bpf_insn))
    return fail(failure, "cgroup", E2BIG, "too many device rules");
  cleanup_fd int cgroup = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cgroup < 0)
    return fail(failure, "cgroup", errno, "open ", directory);
  cleanup_fd int loaded = load(program);
  if (loaded < 0)
    return fail(failure, "cgroup", errno, "the kernel refuses the device rules");
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.target_fd = (uint32_t)cgroup;
  attributes.attach_bpf_fd = (uint32_t)loaded;
  attributes.attach_type = BPF_CGROUP_DEVICE;
  // With what an outer manager has attached: a device must be allowed by all.
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (sys_bpf(BPF_PROG_ATTACH, &attributes, sizeof attributes) < 0)
    return fail(failure, "cgroup", errno, "cannot attach the device rules to ", directory);
  return 0;
}
