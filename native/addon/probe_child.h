// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_ADDON_PROBE_CHILD_H
#define HAKO_ADDON_PROBE_CHILD_H

namespace hako {

// errno of each thing that was tried, 0 for success, with a word for where it failed.
struct Trial {
  int error;
  char step[24];
};

struct ProbeResults {
  Trial user_namespace;
  Trial mount_api;
  Trial overlay;
  Trial time_namespace;
  Trial cgroup_namespace;
};

// Tries it all in a child process that is gone afterwards, so that nothing of it
// is left on the host. Gives 0, or the errno of not being able to have a child.
int ProbeInChild(ProbeResults *results);

}  // namespace hako

#endif
