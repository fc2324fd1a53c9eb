// SPDX-License-Identifier: Apache-2.0
//
// Many small files of procfs and cgroupfs in one trip to the thread pool: by
// fs.readFile each of them takes five.
#include <fcntl.h>

#include <cstring>

#include "napi_support.h"
#include "syscalls.h"
#include "unique_fd.h"

namespace hako {
namespace {

constexpr size_t kPiece = 4096;
constexpr size_t kMostBytes = 1 << 20;  // of one file
constexpr uint32_t kAbsent = UINT32_MAX;

// Not there (any more), not for us, or switched off (EOPNOTSUPP is what PSI says).
bool IsNothing(int error) {
  return error == ENOENT || error == ENOTDIR || error == ENODEV || error == EACCES || error == EOPNOTSUPP;
}

void AppendLength(std::vector<uint8_t> &out, uint32_t length) {
  uint8_t bytes[sizeof length];
  std::memcpy(bytes, &length, sizeof length);
  out.insert(out.end(), bytes, bytes + sizeof bytes);
}

// The whole file, or the errno of what failed. read_all stops short only at the end.
int AppendContent(std::vector<uint8_t> &out, const std::string &path) {
  UniqueFd file(RETRY(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)));
  if (!file) return errno;
  for (size_t start = out.size(), used = start; used - start < kMostBytes;) {
    out.resize(used + kPiece);
    ssize_t length = read_all(file.Get(), out.data() + used, kPiece);
    if (length == -1) return errno;
    used += static_cast<size_t>(length);
    out.resize(used);
    if (length < static_cast<ssize_t>(kPiece)) break;
  }
  return 0;
}

// A length in the machine's order and the content, or kAbsent.
Outcome<Nothing> AppendFile(std::vector<uint8_t> &out, const std::string &path) {
  size_t start = out.size();
  AppendLength(out, kAbsent);
  size_t content = out.size();
  int error = AppendContent(out, path);
  if (error != 0) {
    out.resize(content);
    if (IsNothing(error)) return Nothing{};
    return Failure{error, "read", path, {}};
  }
  uint32_t size = static_cast<uint32_t>(out.size() - content);
  std::memcpy(out.data() + start, &size, sizeof size);
  return Nothing{};
}

Napi::Value ReadKernelFiles(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::vector<std::string> paths = arguments.StringsOf(info[0]);
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<std::vector<uint8_t>>(
      info.Env(), "hako.readKernelFiles",
      [paths]() -> Outcome<std::vector<uint8_t>> {
        std::vector<uint8_t> out;
        for (const std::string &path : paths) {
          Outcome<Nothing> read = AppendFile(out, path);
          if (Failure *failure = std::get_if<Failure>(&read)) return *failure;
        }
        return out;
      },
      [](Napi::Env env, std::vector<uint8_t> &out) -> Napi::Value { return BytesToValue(env, out.data(), out.size()); });
}

}  // namespace

void RegisterKernelFiles(Napi::Object exports) {
  Export(exports, "readKernelFiles", ReadKernelFiles);
}

}  // namespace hako
