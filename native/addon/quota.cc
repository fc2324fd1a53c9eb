// SPDX-License-Identifier: Apache-2.0
//
// Project quotas (quotactl(2), "project quotas"): what some directories and all
// that is made in them hold together. ext4 and xfs have them, when mounted so.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <random>

#include "napi_support.h"
#include "syscalls.h"
#include "unique_fd.h"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

namespace hako {
namespace {

constexpr uint64_t kBlock = 1024;  // struct if_dqblk counts in these (QIF_DQBLKSIZE)
constexpr int kMostTries = 64;

int QuotaControl(int fd, int command, uint32_t project, struct if_dqblk *limits) {
  return static_cast<int>(syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), project, limits));
}

// Whether nobody has anything under this number: neither a limit nor a file.
Outcome<bool> IsFree(int fd, uint32_t project) {
  struct if_dqblk found = {};
  if (QuotaControl(fd, Q_GETQUOTA, project, &found) == -1) {
    if (errno == ENOENT) return true;
    return FailureOf("quotactl");
  }
  return found.dqb_bhardlimit == 0 && found.dqb_ihardlimit == 0 && found.dqb_curspace == 0 && found.dqb_curinodes == 0;
}

Outcome<Nothing> SetLimit(int fd, uint32_t project, uint64_t bytes) {
  struct if_dqblk limits = {};
  limits.dqb_bhardlimit = (bytes + kBlock - 1) / kBlock;
  limits.dqb_valid = QIF_BLIMITS;
  if (QuotaControl(fd, Q_SETQUOTA, project, &limits) == -1) return FailureOf("quotactl");
  return Nothing{};
}

UniqueFd OpenDirectory(const std::string &path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

Outcome<Nothing> GiveProject(const std::string &path, uint32_t project) {
  UniqueFd directory = OpenDirectory(path);
  if (!directory) return FailureOf("open", path);
  struct fsxattr attributes = {};
  if (ioctl(directory.Get(), FS_IOC_FSGETXATTR, &attributes) == -1) return FailureOf("ioctl", path);
  attributes.fsx_projid = project;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  if (ioctl(directory.Get(), FS_IOC_FSSETXATTR, &attributes) == -1) return FailureOf("ioctl", path);
  return Nothing{};
}

// A number that was free a moment ago; of 2^31 that anybody may take meanwhile.
Outcome<uint32_t> FreeProject(int fd) {
  std::random_device random;
  for (int i = 0; i < kMostTries; i++) {
    uint32_t project = (random() & INT32_MAX) | 1u << 20;
    Outcome<bool> free = IsFree(fd, project);
    if (Failure *failure = std::get_if<Failure>(&free)) return *failure;
    if (std::get<bool>(free)) return project;
  }
  return Failure{EBUSY, "quotactl", {}, "no free project number"};
}

// The directories tell the number from before there is a limit: a crash leaves none that nobody knows of.
Outcome<Nothing> SetQuota(const std::vector<std::string> &paths, uint64_t bytes) {
  UniqueFd directory = OpenDirectory(paths.at(0));
  if (!directory) return FailureOf("open", paths.at(0));
  Outcome<uint32_t> project = FreeProject(directory.Get());
  if (Failure *failure = std::get_if<Failure>(&project)) return *failure;
  uint32_t number = std::get<uint32_t>(project);
  Outcome<Nothing> done = Nothing{};
  for (size_t i = 0; i < paths.size() && std::holds_alternative<Nothing>(done); i++) done = GiveProject(paths[i], number);
  return std::holds_alternative<Nothing>(done) ? SetLimit(directory.Get(), number, bytes) : done;
}

Outcome<Nothing> EndQuota(const std::string &path) {
  UniqueFd directory = OpenDirectory(path);
  if (!directory) return FailureOf("open", path);
  struct fsxattr attributes = {};
  if (ioctl(directory.Get(), FS_IOC_FSGETXATTR, &attributes) == -1) return FailureOf("ioctl", path);
  if (attributes.fsx_projid == 0) return Nothing{};
  return SetLimit(directory.Get(), attributes.fsx_projid, 0);
}

Napi::Value SetProjectQuota(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::vector<std::string> paths = arguments.StringsOf(info[0]);
  uint64_t bytes = arguments.Uint64Of(info[1]);
  arguments.Check(!paths.empty() && bytes > 0);
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<Nothing>(
      info.Env(), "hako.setProjectQuota", [paths, bytes] { return SetQuota(paths, bytes); }, ToUndefined);
}

Napi::Value EndProjectQuota(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::string path = arguments.String(0);
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<Nothing>(
      info.Env(), "hako.endProjectQuota", [path] { return EndQuota(path); }, ToUndefined);
}

}  // namespace

void RegisterQuota(Napi::Object exports) {
  Export(exports, "setProjectQuota", SetProjectQuota);
  Export(exports, "endProjectQuota", EndProjectQuota);
}

}  // namespace hako
