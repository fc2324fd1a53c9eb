// SPDX-License-Identifier: Apache-2.0
//
// A supervisor's whole loop, with frames from the fuzzer on several sessions and
// output from a process that is none: pipes with nobody behind them stand for
// it, as a fuzzer that started real ones would do little else. Sound headers are
// made for it, since it would hardly find them; what is in the frames is its own.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../protocol.h"
#include "../supervisor/control_socket.h"
#include "../supervisor/handshake.h"
#include "../supervisor/loop.h"
#include "../supervisor/output.h"
#include "../supervisor/reaper.h"
#include "../supervisor/supervisor.h"

struct supervisor supervisor = {.task = TASK_EMPTY};

#define PEERS 4
#define MOST_PROCESSES 16
#define FIRST_PID (1 << 30) // which is nobody's: PID_MAX_LIMIT is 2^22

struct choices {
  const uint8_t *at, *end;
};

// The other ends: of sessions, and of the processes' pipes.
static int peers[PEERS] = {-1, -1, -1, -1};
static int far_ends[MOST_PROCESSES][3];
static int process_count;

static size_t left(const struct choices *in) {
  return (size_t)(in->end - in->at);
}

static uint8_t next(struct choices *in) {
  return left(in) > 0 ? *in->at++ : 0;
}

// ── What stands for container.c ──

static int pair(int *near_end, bool near_reads) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
    abort();
  *near_end = ends[near_reads ? 0 : 1];
  return ends[near_reads ? 1 : 0];
}

static int make_process(struct process *out, struct failure *failure, bool feeds) {
  if (process_count == MOST_PROCESSES)
    return fail(failure, "clone", EAGAIN, "enough");
  int *far_end = far_ends[process_count];
  *out = (struct process){
      .pid = FIRST_PID + process_count++, .pidfd = eventfd(0, EFD_CLOEXEC), .listener = -1, .stdin_w = -1, .tty_master = -1};
  far_end[0] = feeds ? pair(&out->stdin_w, false) : -1;
  far_end[1] = pair(&out->stdout_r, true);
  far_end[2] = pair(&out->stderr_r, true);
  return 0;
}

int container_start(struct start_request *request, start_hook *meanwhile, struct container *out,
                    struct handshake *handshake, struct failure *failure) {
  *out = (struct container){.oom_fd = -1, .entry = -1};
  *handshake = (struct handshake){.supervisor = -1, .child = -1};
  if (meanwhile(request, failure) < 0 || make_process(&out->init, failure, request->flags & HAKO_START_STDIN) < 0)
    return -1;
  return request->flags & HAKO_START_WAIT ? request_share(&handshake->told, failure) : 0;
}

// Every other program can't be run.
int container_go(struct container *container, struct handshake *handshake, const struct go_request *go,
                 struct failure *failure) {
  if (go->argv.count % 2 == 0) {
    container_undo(container, handshake);
    return fail(failure, "exec", ENOENT, go->argv.items[0]);
  }
  handshake_close(handshake);
  return 0;
}

void container_undo(struct container *container, struct handshake *handshake) {
  container_abandon(&container->init);
  handshake_close(handshake);
}

int container_exec(const struct container *container, const struct exec_request *request, struct process *out,
                   struct handshake *handshake, struct failure *failure) {
  (void)container;
  *handshake = (struct handshake){.supervisor = eventfd(1, EFD_CLOEXEC), .child = -1};
  int result = make_process(out, failure, request->flags & HAKO_EXEC_STDIN);
  if (result < 0)
    handshake_close(handshake);
  return result;
}

// A turn or two later; every third one not at all.
int container_executed(struct process *out, struct handshake *handshake, struct failure *failure) {
  if (!handshake->reaped && handshake->signal++ < out->pid % 2)
    return HANDSHAKE_GOES_ON;
  return out->pid % 3 == 0 ? fail(failure, "exec", ENOENT, "no program") : 0;
}

void container_abandon(struct process *process) {
  close_fd(&process->pidfd);
  close_fd(&process->stdin_w);
  close_fd(&process->stdout_r);
  close_fd(&process->stderr_r);
}

int container_adopt(struct container *container, const char *directory, struct failure *failure) {
  (void)container;
  return strlen(directory) % 2 == 0 ? 0 : fail(failure, "cgroup", ENOENT, "mkdir ", directory);
}

int cgroup_join(const char *directory, pid_t pid, struct failure *failure) {
  return pid % 2 == 0 ? 0 : fail(failure, "cgroup", pid % 3 == 0 ? ESRCH : EIO, "join ", directory);
}

void container_thaw(const struct container *container) {
  (void)container;
}

uint64_t container_oom_kills(const struct container *container) {
  return container->oom_count;
}

bool container_cleanup(struct container *container) {
  return container->cgroups == NULL;
}

bool cgroup_remove_empty(const struct container *container) {
  return container->cgroups == NULL;
}

// ── What the fuzzer does ──

static void nothing(struct timer *timer) {
  (void)timer;
}

// Turns without waiting: a timer is always due.
static void turn(int times) {
  static struct timer due = {.expired = nothing};
  while (times-- > 0) {
    loop_set_timer(&due, 0);
    loop_turn(output_trim);
    sessions_sweep();
  }
}

static void send_bytes(int fd, const void *bytes, size_t length) {
  if (fd >= 0)
    (void)send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_frame(int fd, struct choices *in) {
  uint8_t header[WIRE_HEADER];
  uint8_t type = next(in);
  size_t length = next(in) | (size_t)next(in) << 8;
  if (length > left(in))
    length = left(in);
  wire_put_header(header, (uint32_t)length, type);
  send_bytes(fd, header, sizeof header);
  send_bytes(fd, in->at, length);
  in->at += length;
}

static void send_raw(int fd, struct choices *in) {
  size_t length = next(in);
  if (length > left(in))
    length = left(in);
  send_bytes(fd, in->at, length);
  in->at += length;
}

static void read_away(int fd) {
  char bytes[65536];
  while (fd >= 0 && recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
    ;
}

static void connect_peer(int slot) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
    abort();
  close_fd(&peers[slot]);
  peers[slot] = ends[0];
  if (supervisor.phase == PHASE_RUNNING)
    supervisor_connected(ends[1]);
  else if (supervisor.phase == PHASE_BORN && sessions_open() == 0)
    supervisor_own(ends[1]);
  else
    close_fd(&ends[1]);
}

static void write_output(int index, struct choices *in) {
  static char text[70000];
  size_t length = (size_t)next(in) << 8 | next(in);
  int fd = far_ends[index][1 + (next(in) & 1)];
  memset(text, next(in), length);
  if (length > 0)
    text[length - 1] = (char)next(in);
  if (fd >= 0)
    (void)!write(fd, text, length);
}

static void end_process(int index, uint8_t code) {
  for (int i = 0; i < 3; i++)
    close_fd(&far_ends[index][i]);
  supervisor_reaped(FIRST_PID + index, code, code & 1 ? 9 : 0);
}

static void act(struct choices *in) {
  uint8_t what = next(in);
  int slot = (what >> 4) % PEERS;
  int index = process_count > 0 ? (what >> 4) % process_count : 0;
  switch (what & 7) {
  case 0:
    connect_peer(slot);
    break;
  case 1:
  case 2:
    send_frame(peers[slot], in);
    break;
  case 3:
    send_raw(peers[slot], in);
    break;
  case 4:
    read_away(peers[slot]);
    break;
  case 5:
    if (process_count > 0)
      write_output(index, in);
    break;
  case 6:
    if (process_count > 0 && (what & 8))
      end_process(index, next(in));
    else
      close_fd(&peers[slot]);
    break;
  case 7:
    turn(next(in));
    break;
  }
  turn(4);
}

// START as the library would send it, so that most inputs get past it.
static void send_start(uint8_t flags, uint8_t sink) {
  bool waits = sink & 0x40;
  uint8_t frame[1024];
  struct wire_writer w = wire_begin(frame, sizeof frame, HAKO_START);
  wire_put_u32(&w, HAKO_PROTOCOL_VERSION);
  // A disk's latency finds nothing.
  wire_put_u32(&w, (flags & 0xf & ~HAKO_START_DURABLE) | (waits ? HAKO_START_WAIT : 0));
  wire_put_u32(&w, flags >> 4 & 7);
  wire_put_str(&w, "fuzz");
  wire_put_u32(&w, 0); // unshare
  wire_put_u32(&w, 0); // join
  wire_put_u8(&w, HAKO_IDMAP_NONE);
  wire_put_str(&w, ""), wire_put_str(&w, "");
  wire_put_u8(&w, 0);
  wire_put_str(&w, ""), wire_put_str(&w, "");
  wire_put_u32(&w, 0); // cgroup
  for (int i = 0; i < 4; i++)
    wire_put_str(&w, "");
  wire_put_u32(&w, 0); // setup
  wire_put_u32(&w, waits ? 0 : 1);
  if (!waits)
    wire_put_str(&w, "/bin/true");
  wire_put_u32(&w, 0); // env
  wire_put_str(&w, "/"), wire_put_str(&w, "0");
  wire_put_u32(&w, 0); // groups
  wire_put_u32(&w, 0);
  for (int i = 0; i < 5; i++)
    wire_put_u64(&w, 0);
  wire_put_u32(&w, 022), wire_put_u32(&w, 0);
  wire_put_i32(&w, INT32_MIN);
  wire_put_u32(&w, 0), wire_put_u32(&w, 0);
  wire_put_str(&w, "");
  wire_put_u16(&w, 24), wire_put_u16(&w, 80);
  uint8_t kind = sink % 3;
  wire_put_u8(&w, kind);
  if (kind != HAKO_SINK_NONE)
    wire_put_str(&w, "log");
  if (kind == HAKO_SINK_JSON_FILE) {
    wire_put_u64(&w, sink & 4 ? 4096 : 0);
    wire_put_u32(&w, 1 + (sink >> 3 & 3));
    wire_put_u8(&w, sink >> 5 & 1);
    wire_put_u32(&w, 0);
  } else if (kind == HAKO_SINK_JOURNAL) {
    wire_put_u64(&w, 65536);
    wire_put_u8(&w, sink >> 3 & 1);
  }
  send_bytes(peers[0], frame, wire_end(&w));
}

static void send_go(uint8_t how) {
  uint8_t frame[256];
  struct wire_writer w = wire_begin(frame, sizeof frame, HAKO_GO);
  wire_put_u32(&w, how & HAKO_GO_STDIN);
  wire_put_u32(&w, how >> 1 & 3);
  for (int i = 0; i < (how >> 1 & 3); i++)
    wire_put_str(&w, "/bin/true");
  wire_put_u32(&w, 0); // env
  wire_put_str(&w, "/");
  send_bytes(peers[0], frame, wire_end(&w));
}

// ── From one input to the next ──

static void empty_directory(void) {
  cleanup_fd int copy = openat(HAKO_FD_STATE, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fdopendir(copy);
  if (!directory)
    abort();
  copy = -1;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] != '.')
      unlinkat(HAKO_FD_STATE, entry->d_name, 0);
  }
  closedir(directory);
}

static void end_all(void) {
  for (int i = 0; i < PEERS; i++)
    close_fd(&peers[i]);
  turn(64);
  // The container last: its end is the supervisor's.
  for (int i = process_count - 1; i >= 0; i--)
    end_process(i, 0);
  turn(64);
  if (sessions_open() != 0 || supervisor.execs || supervisor.exec_count != 0)
    abort();
  control_socket_close(HAKO_FD_STATE);
  loop_clear_timer(&supervisor.task.sink_wait);
  if (supervisor.sink)
    sink_close(supervisor.sink, false);
  supervisor = (struct supervisor){.task = TASK_EMPTY};
  process_count = 0;
  empty_directory();
}

static void reaped(pid_t pid, int code, int signal) {
  (void)pid, (void)code, (void)signal;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char state_path[] = "/dev/shm/hako-fuzz-XXXXXX";

static void remove_directory(void) {
  rmdir(state_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  if (!mkdtemp(state_path) || atexit(remove_directory) != 0)
    abort();
  int directory = open(state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0 || dup3(directory, HAKO_FD_STATE, O_CLOEXEC) != HAKO_FD_STATE)
    abort();
  signal(SIGPIPE, SIG_IGN);
  reaper_init(reaped);
  return loop_init() < 0 || output_init() < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct choices in = {data, data + size};
  connect_peer(0);
  uint8_t how = next(&in);
  if (how & 1)
    send_start(how >> 1, next(&in));
  turn(8);
  if (supervisor.phase == PHASE_PREPARED && left(&in) % 2 == 0)
    send_go(next(&in));
  for (int actions = 0; left(&in) > 0 && actions < 200; actions++)
    act(&in);
  end_all();
  return 0;
}
