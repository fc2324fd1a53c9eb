// SPDX-License-Identifier: Apache-2.0
#include "environment.h"

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <vector>

#include "syscalls.h"

namespace hako {
namespace {

using Children = std::vector<pollfd>;

bool ReapIfEnded(const pollfd &child) {
  if (child.revents == 0) return false;
  siginfo_t status = {};
  RETRY(waitid(kPidfd, static_cast<id_t>(child.fd), &status, WEXITED | WNOHANG));
  close(child.fd);
  return true;
}

void *Reap(void *argument) {
  std::unique_ptr<Children> children(static_cast<Children *>(argument));
  while (!children->empty()) {
    if (poll(children->data(), children->size(), -1) == -1 && errno != EINTR) break;
    children->erase(std::remove_if(children->begin(), children->end(), ReapIfEnded), children->end());
  }
  return nullptr;
}

// They end when the thread's sockets to them are closed, which is yet to come: a
// thread waits for them. (One that is no more is the only thing that could do it.)
void ReapLater(const std::set<int> &pidfds) {
  // With the process go its zombies.
  bool is_main_thread = getpid() == static_cast<pid_t>(syscall(SYS_gettid));
  if (pidfds.empty() || is_main_thread) return;
  auto children = std::make_unique<Children>();
  for (int pidfd : pidfds) children->push_back({pidfd, POLLIN, 0});
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  if (pthread_create(&thread, nullptr, Reap, children.get()) == 0) {
    pthread_detach(thread);
    children.release();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

ChildFd::~ChildFd() {
  if (pidfd_) ReapLater({pidfd_.Release()});
}

Napi::Value Environment::Give(Napi::Env env, UniqueFd fd) {
  auto *environment = env.GetInstanceData<Environment>();
  if (environment == nullptr) return env.Undefined();
  environment->fds_.insert(fd.Get());
  return Napi::Number::New(env, fd.Release());
}

Napi::Value Environment::Give(Napi::Env env, ChildFd child) {
  auto *environment = env.GetInstanceData<Environment>();
  if (environment == nullptr) return env.Undefined();
  int pidfd = child.Release();
  environment->children_.insert(pidfd);
  return Napi::Number::New(env, pidfd);
}

void Environment::Forget(Napi::Env env, int fd) {
  auto *environment = env.GetInstanceData<Environment>();
  if (environment == nullptr) return;
  environment->fds_.erase(fd);
  environment->children_.erase(fd);
}

Environment::~Environment() {
  for (int fd : fds_) close(fd);
  ReapLater(children_);
}

}  // namespace hako
