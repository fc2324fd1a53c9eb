// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_ADDON_ENVIRONMENT_H
#define HAKO_ADDON_ENVIRONMENT_H

#include <set>

#include "napi_support.h"
#include "unique_fd.h"

namespace hako {

// A child's pidfd. A child that never reaches JavaScript is reaped when it ends.
class ChildFd {
 public:
  explicit ChildFd(UniqueFd pidfd) : pidfd_(std::move(pidfd)) {}
  ChildFd(ChildFd &&) noexcept = default;
  ~ChildFd();

  int Release() { return pidfd_.Release(); }

 private:
  UniqueFd pidfd_;
};

// The descriptors and children that JavaScript has by number. They belong to the
// process, so they would stay when a worker thread is terminated: they are given
// back at the end of its environment.
class Environment {
 public:
  // For JavaScript, which closes it by the addon's `close`.
  static Napi::Value Give(Napi::Env env, UniqueFd fd);
  // For JavaScript, which reaps it by the addon's `tryReap`.
  static Napi::Value Give(Napi::Env env, ChildFd child);
  // About to be closed, or reaped.
  static void Forget(Napi::Env env, int fd);

  Environment() = default;
  Environment(const Environment &) = delete;
  ~Environment();

 private:
  std::set<int> fds_;
  std::set<int> children_;
};

}  // namespace hako

#endif
