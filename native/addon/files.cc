// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "environment.h"
#include "napi_support.h"
#include "syscalls.h"
#include "unique_fd.h"

namespace hako {
namespace {

Napi::Value Open(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::string path = arguments.String(0);
  int flags = arguments.Int(1);
  if (!arguments.Sound()) return arguments.Throw();
  UniqueFd fd(RETRY(open(path.c_str(), flags | O_CLOEXEC, 0600)));
  if (!fd) return Return<Nothing>(info.Env(), FailureOf("open", path), ToUndefined);
  return Environment::Give(info.Env(), std::move(fd));
}

Napi::Value Close(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  int fd = arguments.Int(0);
  if (!arguments.Sound()) return arguments.Throw();
  Environment::Forget(info.Env(), fd);
  // Linux frees the descriptor even when it says EINTR: closing again could hit another's.
  if (close(fd) == -1 && errno != EINTR) return Return<Nothing>(info.Env(), FailureOf("close"), ToUndefined);
  return info.Env().Undefined();
}

Napi::Value Pair(Napi::Env env, const int fds[2]) {
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(0u, fds[0]);
  pair.Set(1u, fds[1]);
  return pair;
}

Napi::Value SocketPair(const Napi::CallbackInfo &info) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == -1) {
    return Return<Nothing>(info.Env(), FailureOf("socketpair"), ToUndefined);
  }
  return Pair(info.Env(), fds);
}

// What comes without a descriptor, or with more than one, is not what hako's own worker sends.
Outcome<UniqueFd> Receive(int socket) {
  char byte;
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    cmsghdr aligned;
  } control = {};
  iovec into = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  ssize_t length = RETRY(recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  if (length == -1) return FailureOf("recvmsg");
  const cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
    return Failure{ENOMSG, "recvmsg", {}, "no descriptor came"};
  }
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

// As those of SocketPair, for whoever makes a stream of it.
Napi::Value ReceiveDescriptor(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  int socket = arguments.Int(0);
  if (!arguments.Sound()) return arguments.Throw();
  return Return<UniqueFd>(info.Env(), Receive(socket), [](Napi::Env env, UniqueFd &fd) -> Napi::Value {
    return Napi::Number::New(env, fd.Release());
  });
}

Napi::Value Pipe(const Napi::CallbackInfo &info) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) == -1) return Return<Nothing>(info.Env(), FailureOf("pipe2"), ToUndefined);
  return Pair(info.Env(), fds);
}

// Never waits: a pool thread that waits for a lock could be the one that its
// holder needs in order to let go.
Napi::Value TryLock(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  int fd = arguments.Int(0);
  int kind = arguments.Bool(1) ? LOCK_SH : LOCK_EX;
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<bool>(
      info.Env(), "hako.tryLock",
      [fd, kind]() -> Outcome<bool> {
        if (RETRY(flock(fd, kind | LOCK_NB)) == 0) return true;
        if (errno == EWOULDBLOCK) return false;
        return FailureOf("flock");
      },
      [](Napi::Env env, bool &taken) -> Napi::Value { return Napi::Boolean::New(env, taken); });
}

// Opens, asks and closes: nothing of that waits. The lock that it takes for a
// moment is a shared one, so that those who ask do not see each other.
Outcome<bool> LockedByAnybody(const std::string &path) {
  UniqueFd fd(RETRY(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)));
  if (!fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return false;
  // Not a "no": a process that is out of descriptors would take all that runs for lost.
  if (!fd) return FailureOf("open", path);
  if (RETRY(flock(fd.Get(), LOCK_SH | LOCK_NB)) == 0) return false;
  if (errno == EWOULDBLOCK) return true;
  return FailureOf("flock", path);
}

Napi::Value IsLocked(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::string path = arguments.String(0);
  if (!arguments.Sound()) return arguments.Throw();
  return Return<bool>(info.Env(), LockedByAnybody(path),
                      [](Napi::Env env, bool &locked) -> Napi::Value { return Napi::Boolean::New(env, locked); });
}

// chattr(1) +T. Of use to ext4, and only a wish: no filesystem that does without it is a failure.
Napi::Value SpreadDirectories(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::string path = arguments.String(0);
  if (!arguments.Sound()) return arguments.Throw();
  UniqueFd directory(RETRY(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!directory) return Return<Nothing>(info.Env(), FailureOf("open", path), ToUndefined);
  unsigned flags = 0;
  if (ioctl(directory.Get(), FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_TOPDIR_FL) == 0) {
    flags |= FS_TOPDIR_FL;
    (void)ioctl(directory.Get(), FS_IOC_SETFLAGS, &flags);
  }
  return info.Env().Undefined();
}

Napi::Value SyncFilesystem(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  int fd = arguments.Int(0);
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<Nothing>(
      info.Env(), "hako.syncFilesystem",
      [fd]() -> Outcome<Nothing> {
        if (syncfs(fd) == -1) return FailureOf("syncfs");
        return Nothing{};
      },
      ToUndefined);
}

Outcome<Nothing> RemovePath(const std::string &path) {
  size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return Failure{EINVAL, "rmtree", path, "the root of the filesystem"};
  std::string trimmed = path.substr(0, end + 1);
  size_t slash = trimmed.rfind('/');
  std::string parent = slash == std::string::npos ? "." : trimmed.substr(0, slash + 1);
  std::string name = slash == std::string::npos ? trimmed : trimmed.substr(slash + 1);
  UniqueFd directory(open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    if (errno == ENOENT) return Nothing{};
    return FailureOf("open", parent);
  }
  failure failed = {};
  if (rmtree(directory.Get(), name.c_str(), &failed) == 0) return Nothing{};
  return Failure{failed.errnum, failed.operation, path, failed.detail};
}

Napi::Value RemoveTree(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::string path = arguments.String(0);
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<Nothing>(
      info.Env(), "hako.removeTree", [path] { return RemovePath(path); }, ToUndefined);
}

struct FileContent {
  bool exists = false;
  std::vector<uint8_t> bytes;
};

Outcome<FileContent> ReadInRoot(const std::string &root, const std::string &path, size_t limit) {
  UniqueFd directory(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return FailureOf("open", root);
  // Looked at before it is opened: opening a device can already do something.
  UniqueFd handle(sys_openat2_patiently(directory.Get(), path.c_str(), O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
  if (!handle) {
    if (errno == ENOENT || errno == ENOTDIR) return FileContent{};
    return FailureOf("openat2", path);
  }
  struct stat status;
  if (fstat(handle.Get(), &status) == -1) return FailureOf("fstat", path);
  if (!S_ISREG(status.st_mode)) return Failure{EINVAL, "openat2", path, "not a regular file"};
  std::string self = "/proc/self/fd/" + std::to_string(handle.Get());
  UniqueFd file(RETRY(open(self.c_str(), O_RDONLY | O_CLOEXEC)));
  if (!file) return FailureOf("open", path);
  FileContent content;
  content.exists = true;
  // What stat(2) says is a guess: files grow, and those of procfs have no size. One
  // byte more than allowed tells that there is more.
  size_t guess = std::min(static_cast<size_t>(status.st_size), limit) + 1;
  for (size_t used = 0;;) {
    content.bytes.resize(std::min(std::max(guess, used * 2), limit + 1));
    ssize_t length = read_all(file.Get(), content.bytes.data() + used, content.bytes.size() - used);
    if (length == -1) return FailureOf("read", path);
    used += static_cast<size_t>(length);
    if (used > limit) return Failure{EFBIG, "read", path, "larger than " + std::to_string(limit) + " bytes"};
    if (used < content.bytes.size()) {
      content.bytes.resize(used);
      return content;
    }
  }
}

Napi::Value ReadFileInRoot(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  std::string root = arguments.String(0);
  std::string path = arguments.String(1);
  int limit = arguments.Int(2);
  if (!arguments.Check(limit >= 0)) return arguments.Throw();
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<FileContent>(
      info.Env(), "hako.readFileInRoot", [root, path, limit] { return ReadInRoot(root, path, static_cast<size_t>(limit)); },
      [](Napi::Env env, FileContent &content) -> Napi::Value {
        return content.exists ? BytesToValue(env, content.bytes.data(), content.bytes.size()) : env.Null();
      });
}

}  // namespace

void RegisterFiles(Napi::Object exports) {
  Export(exports, "open", Open);
  Export(exports, "close", Close);
  Export(exports, "socketPair", SocketPair);
  Export(exports, "receiveDescriptor", ReceiveDescriptor);
  Export(exports, "pipe", Pipe);
  Export(exports, "tryLock", TryLock);
  Export(exports, "isLocked", IsLocked);
  Export(exports, "spreadDirectories", SpreadDirectories);
  Export(exports, "syncFilesystem", SyncFilesystem);
  Export(exports, "removeTree", RemoveTree);
  Export(exports, "readFileInRoot", ReadFileInRoot);
}

}  // namespace hako
