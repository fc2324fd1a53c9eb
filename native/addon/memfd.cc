// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "environment.h"
#include "napi_support.h"
#include "syscalls.h"
#include "unique_fd.h"

// Newer than the oldest headers that this is built against.
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW 0x0004
#define F_SEAL_WRITE 0x0008
#endif

namespace hako {
namespace {

int CreateMemfd(const char *name) {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  // Kernels before 6.3 don't know the flag; later ones may be set (vm.memfd_noexec) to need it.
  int fd = static_cast<int>(syscall(SYS_memfd_create, name, flags | MFD_EXEC));
  if (fd == -1 && errno == EINVAL) fd = static_cast<int>(syscall(SYS_memfd_create, name, flags));
  return fd;
}

Outcome<UniqueFd> Seal(const std::string &path) {
  UniqueFd file(RETRY(open(path.c_str(), O_RDONLY | O_CLOEXEC)));
  if (!file) return FailureOf("open", path);
  size_t slash = path.rfind('/');
  UniqueFd memory(CreateMemfd(path.c_str() + (slash == std::string::npos ? 0 : slash + 1)));
  if (!memory) return FailureOf("memfd_create", path);
  for (;;) {
    ssize_t copied = RETRY(sendfile(memory.Get(), file.Get(), nullptr, 1 << 30));
    if (copied == -1) return FailureOf("sendfile", path);
    if (copied == 0) break;
  }
  if (fchmod(memory.Get(), 0500) == -1) return FailureOf("fchmod", path);
  if (fcntl(memory.Get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1) {
    return FailureOf("fcntl", path, "F_ADD_SEALS");
  }
  return memory;
}

Napi::Value SealExecutable(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::string path = arguments.String(0);
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<UniqueFd>(
      info.Env(), "hako.sealExecutable", [path] { return Seal(path); },
      [](Napi::Env env, UniqueFd &fd) { return Environment::Give(env, std::move(fd)); });
}

}  // namespace

void RegisterMemfd(Napi::Object exports) {
  Export(exports, "sealExecutable", SealExecutable);
}

}  // namespace hako
