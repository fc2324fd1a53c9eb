// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_ADDON_UNIQUE_FD_H
#define HAKO_ADDON_UNIQUE_FD_H

#include <unistd.h>

#include <utility>

namespace hako {

// A descriptor that closes itself. A result that never reaches JavaScript (its
// environment ended meanwhile) gives its descriptor back by being destroyed.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd &&other) noexcept : fd_(other.Release()) {}
  UniqueFd &operator=(UniqueFd &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() {
    if (fd_ >= 0) close(fd_);
  }

  int Get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace hako

#endif
