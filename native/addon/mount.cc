// SPDX-License-Identifier: Apache-2.0
//
// Mounts in the namespace that Node itself lives in, for callers who ask for
// one on the host. A container's own mounts are the supervisor's work.
#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include "napi_support.h"
#include "syscalls.h"
#include "unique_fd.h"

namespace hako {
namespace {

constexpr size_t kConfigString = 256;  // fsconfig(2) takes none longer
constexpr size_t kMountData = 4096;    // mount(2) takes one page on every architecture
constexpr const char kLayer[] = "lowerdir+";

struct Option {
  std::string key;
  std::string value;  // empty: a flag
};

struct MountPlan {
  std::string type, source, target;
  uint64_t attributes;
  std::vector<Option> options;

  bool Has(const char *key) const {
    return std::any_of(options.begin(), options.end(), [key](const Option &option) { return option.key == key; });
  }
};

// The kernel's own words for why, or none.
std::string Explanation(int fs) {
  char words[256];
  ssize_t length = read(fs, words, sizeof words);
  if (length <= 2) return {};
  // Each line begins with its level and a space.
  std::string text(words + 2, static_cast<size_t>(length) - 2);
  return text.substr(0, text.find('\n'));
}

Failure ConfigFailure(const MountPlan &plan, const char *syscall, int fs, const std::string &what) {
  Failure failure = FailureOf(syscall, plan.target, plan.type + what);
  std::string why = Explanation(fs);
  if (!why.empty()) failure.detail += ": " + why;
  return failure;
}

std::string Escaped(const std::string &text, const char *special) {
  std::string escaped;
  for (char c : text) {
    if (std::strchr(special, c)) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// Overlay's options as one string: before Linux 6.8 fsconfig(2) can't name layers
// one by one, and no version takes them together when they are long.
Outcome<Nothing> MountOverlayByString(const MountPlan &plan) {
  std::string layers, data;
  for (const Option &option : plan.options) {
    if (option.key == kLayer) {
      layers += (layers.empty() ? "lowerdir=" : ":") + Escaped(option.value, ",:\\");
      continue;
    }
    data += ',' + option.key;
    // What stands in one `lowerdir` already has its own escapes.
    if (!option.value.empty()) data += '=' + (option.key == "lowerdir" ? option.value : Escaped(option.value, ",\\"));
  }
  data = layers.empty() ? data.substr(std::min<size_t>(1, data.size())) : layers + data;
  if (data.size() >= kMountData) return Failure{E2BIG, "mount", plan.target, "the layers' paths are too many or too long for this kernel"};
  // These bits are the same for mount(2) as for mount_setattr(2).
  unsigned long flags = plan.attributes & (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (mount("overlay", plan.target.c_str(), "overlay", flags, data.c_str()) == -1) return FailureOf("mount", plan.target, "overlay");
  return Nothing{};
}

Outcome<UniqueFd> MakeBind(const MountPlan &plan) {
  unsigned recursive = plan.Has("rbind") ? AT_RECURSIVE : 0;
  UniqueFd tree(sys_open_tree(AT_FDCWD, plan.source.c_str(), OPEN_TREE_CLONE | recursive));
  if (!tree) return FailureOf("open_tree", plan.source);
  mount_attributes attributes = {};
  attributes.set = plan.attributes;
  if (plan.attributes != 0 && sys_mount_setattr(tree.Get(), recursive, &attributes) == -1) return FailureOf("mount_setattr", plan.source);
  return tree;
}

Outcome<UniqueFd> MakeFilesystem(const MountPlan &plan, bool *by_string) {
  bool overlay = plan.type == "overlay";
  UniqueFd fs(sys_fsopen(plan.type.c_str()));
  if (!fs) return FailureOf("fsopen", plan.target, plan.type);
  if (!plan.source.empty() && sys_fsconfig(fs.Get(), CONFIG_SET_STRING, "source", plan.source.c_str(), 0) == -1) {
    return ConfigFailure(plan, "fsconfig", fs.Get(), ", source");
  }
  for (const Option &option : plan.options) {
    bool flag = option.value.empty();
    int result = sys_fsconfig(fs.Get(), flag ? CONFIG_SET_FLAG : CONFIG_SET_STRING, option.key.c_str(), flag ? nullptr : option.value.c_str(), 0);
    if (result == 0) continue;
    *by_string = overlay && errno == EINVAL && (option.key == kLayer || option.value.size() >= kConfigString);
    return ConfigFailure(plan, "fsconfig", fs.Get(), ", option " + option.key);
  }
  if (sys_fsconfig(fs.Get(), CONFIG_CREATE, nullptr, nullptr, 0) == -1) return ConfigFailure(plan, "fsconfig", fs.Get(), "");
  UniqueFd made(sys_fsmount(fs.Get(), static_cast<unsigned>(plan.attributes)));
  if (!made) return ConfigFailure(plan, "fsmount", fs.Get(), "");
  return made;
}

Outcome<Nothing> Mount(const MountPlan &plan) {
  UniqueFd target(open(plan.target.c_str(), O_PATH | O_CLOEXEC));
  if (!target) return FailureOf("open", plan.target);
  bool by_string = false;
  Outcome<UniqueFd> made = plan.type == "bind" ? MakeBind(plan) : MakeFilesystem(plan, &by_string);
  if (by_string) return MountOverlayByString(plan);
  if (Failure *failure = std::get_if<Failure>(&made)) return std::move(*failure);
  if (sys_move_mount(std::get_if<UniqueFd>(&made)->Get(), target.Get()) == -1) return FailureOf("move_mount", plan.target);
  return Nothing{};
}

Napi::Value MountOnHost(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  Napi::Object request = arguments.Object(0);
  MountPlan plan;
  plan.type = arguments.StringOf(request.Get("type"));
  plan.source = arguments.StringOf(request.Get("source"));
  plan.target = arguments.StringOf(request.Get("target"));
  plan.attributes = arguments.Uint64Of(request.Get("attributes"));
  Napi::Array options = arguments.ArrayOf(request.Get("options"));
  for (uint32_t i = 0; i < options.Length(); i++) {
    std::vector<std::string> pair = arguments.StringsOf(options.Get(i));
    if (arguments.Check(pair.size() == 2)) plan.options.push_back({pair[0], pair[1]});
  }
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<Nothing>(
      info.Env(), "hako.mount", [plan] { return Mount(plan); }, ToUndefined);
}

Napi::Value Unmount(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::string target = arguments.String(0);
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<Nothing>(
      info.Env(), "hako.unmount",
      [target]() -> Outcome<Nothing> {
        if (umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return Nothing{};
        // EINVAL: nothing is mounted there.
        if (errno == EINVAL || errno == ENOENT) return Nothing{};
        return FailureOf("umount2", target);
      },
      ToUndefined);
}

}  // namespace

void RegisterMount(Napi::Object exports) {
  Export(exports, "mount", MountOnHost);
  Export(exports, "unmount", Unmount);
}

}  // namespace hako
