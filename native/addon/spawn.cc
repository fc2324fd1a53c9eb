// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "environment.h"
#include "napi_support.h"
#include "syscalls.h"
#include "unique_fd.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

namespace hako {
namespace {

constexpr int kFirstExtra = 3;
constexpr size_t kStackSize = 64 << 10;
constexpr int kSignals = 64;
constexpr size_t kKernelSigsetSize = 8;

struct SpawnPlan {
  int executable = -1;
  std::vector<std::string> argv;
  std::vector<int> sources;  // sources[i] becomes descriptor i; -1: /dev/null
};

struct Spawned {
  pid_t pid;
  std::string start_ticks;
  ChildFd child;
};

// What the child works on: all of it made beforehand, since it may not allocate.
struct ChildPlan {
  int executable;
  char *const *argv;
  const int *sources;
  int *copies;
  int count;
  int error;
  const char *step;
};

// The child leaves its stack by execve(2) and never returns, so what AddressSanitizer
// notes of that memory would stay, for whoever gets it next, in the memory that is shared.
#define RUNS_ON_BORROWED_STACK __attribute__((no_sanitize("address")))

int ChildFailed(ChildPlan *plan, const char *step) {
  plan->error = errno;
  plan->step = step;
  return 127;
}

// A handler of Node's must not run in the child, and what Node ignores (SIGPIPE)
// must not be ignored there. Raw, because the libc hides two of its own signals.
RUNS_ON_BORROWED_STACK void ResetSignalDispositions() {
  // struct sigaction as the kernel has it; all zero is SIG_DFL, and has the same size on x64 and arm64.
  const unsigned long by_default[4] = {};
  for (int signal = 1; signal <= kSignals; signal++) {
    if (signal != SIGKILL && signal != SIGSTOP) syscall(SYS_rt_sigaction, signal, by_default, nullptr, kKernelSigsetSize);
  }
}

// Runs in Node's own memory while the thread that called stands still (vfork(2)),
// beside Node's other threads: system calls only, no lock, no allocation. The
// descriptor table and the signal dispositions are its own.
RUNS_ON_BORROWED_STACK int Child(void *argument) {
  auto *plan = static_cast<ChildPlan *>(argument);
  ResetSignalDispositions();
  if (setsid() == -1) return ChildFailed(plan, "setsid");
  // First all of them above the numbers that will be given, so that none is
  // overwritten before it was copied: the caller's may be 3, 4, 5 in any order.
  int executable = fcntl(plan->executable, F_DUPFD_CLOEXEC, plan->count + 1);
  if (executable == -1) return ChildFailed(plan, "fcntl");
  for (int i = 0; i < plan->count; i++) {
    plan->copies[i] = fcntl(plan->sources[i], F_DUPFD_CLOEXEC, plan->count + 1);
    if (plan->copies[i] == -1) return ChildFailed(plan, "fcntl");
  }
  for (int i = 0; i < plan->count; i++) {
    if (dup3(plan->copies[i], i, 0) == -1) return ChildFailed(plan, "dup3");
  }
  if (dup3(executable, plan->count, O_CLOEXEC) == -1) return ChildFailed(plan, "dup3");
  // Other libraries in Node's process may have opened some without O_CLOEXEC.
  if (sys_close_range(static_cast<unsigned>(plan->count) + 1, ~0U, 0) == -1) return ChildFailed(plan, "close_range");
  const unsigned long none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kKernelSigsetSize);
  // The embedder's environment is none of the supervisor's business: /proc would show it.
  char *const environment[] = {nullptr};
  syscall(SYS_execveat, plan->count, "", plan->argv, environment, AT_EMPTY_PATH);
  return ChildFailed(plan, "execveat");
}

// proc_pid_stat(5), field 22; empty when /proc does not tell. The command's name,
// in parentheses, may hold spaces and parentheses: counted from the last one.
std::string StartTicks(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  size_t end = text.rfind(')');
  if (end == std::string::npos) return "";
  std::istringstream fields(text.substr(end + 1));
  std::string field;
  for (int number = 3; number <= 22; number++) fields >> field;
  return field;
}

// posix_spawn(3) does the same, but can neither close what it was not told of
// (before glibc 2.34) nor give the pidfd that the child is born with.
Outcome<Spawned> Spawn(SpawnPlan plan) {
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return FailureOf("open", "/dev/null");
  for (int &source : plan.sources) {
    if (source < 0) source = null.Get();
  }
  std::vector<int> copies(plan.sources.size());
  std::vector<char *> argv;
  for (std::string &argument : plan.argv) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ChildPlan child = {plan.executable, argv.data(), plan.sources.data(), copies.data(), static_cast<int>(plan.sources.size()), 0, ""};

  void *stack = mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return FailureOf("mmap");
  const unsigned long all = ~0UL;
  unsigned long before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, kKernelSigsetSize);
  int pidfd = -1;
  pid_t pid = clone(Child, static_cast<char *>(stack) + kStackSize, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &pidfd);
  int error = errno;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, kKernelSigsetSize);
  munmap(stack, kStackSize);
  if (pid == -1) return Failure{error, "clone", {}, {}};

  UniqueFd owned(pidfd);
  if (child.error == 0) return Spawned{pid, StartTicks(pid), ChildFd(std::move(owned))};
  RETRY(waitpid(pid, nullptr, 0));
  return Failure{child.error, child.step, plan.argv[0], {}};
}

Napi::Value SpawnProcess(const Napi::CallbackInfo &info) {
  Arguments arguments(info);
  SpawnPlan plan;
  plan.executable = arguments.Int(0);
  plan.argv = arguments.StringsOf(info[1]);
  Napi::Array stdio = arguments.ArrayOf(info[2]);
  Napi::Array extra = arguments.ArrayOf(info[3]);
  arguments.Check(stdio.Length() == kFirstExtra && !plan.argv.empty());
  for (uint32_t i = 0; i < stdio.Length(); i++) plan.sources.push_back(arguments.FdOrNullOf(stdio.Get(i)));
  for (uint32_t i = 0; i < extra.Length(); i++) plan.sources.push_back(arguments.IntOf(extra.Get(i)));
  if (!arguments.Sound()) return arguments.Throw();
  return RunAsync<Spawned>(
      info.Env(), "hako.spawn", [plan] { return Spawn(plan); },
      [](Napi::Env env, Spawned &spawned) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("pid", spawned.pid);
        object.Set("startTicks", spawned.start_ticks);
        object.Set("pidfd", Environment::Give(env, std::move(spawned.child)));
        return object;
      });
}

}  // namespace

void RegisterSpawn(Napi::Object exports) {
  Export(exports, "spawn", SpawnProcess);
}

}  // namespace hako
