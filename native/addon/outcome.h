// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_ADDON_OUTCOME_H
#define HAKO_ADDON_OUTCOME_H

#include <cerrno>
#include <string>
#include <utility>
#include <variant>

namespace hako {

// What failed: errno, the system call's name and the object it was done to. It
// becomes an Error with these as properties; src/native/binding.ts words it.
struct Failure {
  int error;
  std::string syscall;
  std::string path;
  std::string detail;
};

struct Nothing {};

template <typename T>
using Outcome = std::variant<T, Failure>;

// Of the call that has just failed.
inline Failure FailureOf(const char *syscall, std::string path = {}, std::string detail = {}) {
  return {errno, syscall, std::move(path), std::move(detail)};
}

}  // namespace hako

#endif
