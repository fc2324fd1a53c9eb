// SPDX-License-Identifier: Apache-2.0
//
// What Node and the supervisor say to each other. This is the only header that
// the addon's side (src/native/protocol.ts is its mirror, held to it by a test)
// and the supervisor share.
//
// Transport: a SOCK_STREAM unix socket. Every message is one frame:
//
//     u32 length of the payload · u8 type · payload
//
// Integers are little-endian. In a payload, in the order given here:
//
//     u8 u16 u32 u64 i32 i64   as they are
//     str                      u32 length · bytes, with no NUL in it
//     bytes                    u32 length · bytes
//     list<T>                  u32 count · T × count
//
// A frame with a length over the limit, a short field, a bad count, a NUL in a
// str or bytes left over is a protocol error: the supervisor answers FAILED
// (operation "protocol") and closes that connection. Nothing is done before the
// whole of a request was read and found sound.
//
// A connection is one session. The first frame says what it is for; what
// follows on it (stdin, signals, output, exit) belongs to that session only, so
// a slow reader of one exec never holds up another. Frames of a session are taken
// in order, and not while its process does not read its stdin: a signal that must
// not wait behind stdin goes over a session of its own. After its last frame
// (EXITED, or FAILED) the supervisor says no more, and waits for the peer to hang up;
// that the container's sessions end says that nothing of it is left in the kernel.
#ifndef HAKO_PROTOCOL_H
#define HAKO_PROTOCOL_H

#define HAKO_PROTOCOL_VERSION 1u

// File descriptors a supervisor is born with. 0, 1 and 2 are /dev/null, or
// stderr of the embedder when HAKO_DEBUG is set.
#define HAKO_FD_OWNER 3  // the session that sends START; its end is the owner's end
#define HAKO_FD_STATE 4  // O_DIRECTORY: <root>/containers/<id>; holds the names below; under flock(2) from START until nothing of the container is left
#define HAKO_FD_EXTRA 5  // the first of the descriptors that START names by index

// Names in the state directory.
#define HAKO_CONTROL_SOCKET "control.sock" // later sessions connect here
#define HAKO_EXIT_RECORD "exit.json"       // {"exitCode":0,"signal":0,"oomKilled":false,"finishedAt":"<RFC 3339, ns, Z>"}

#define HAKO_MAX_REQUEST (8u << 20) // START, GO, EXEC: argv and env may take megabytes
#define HAKO_MAX_FRAME (64u << 10)  // every other frame

enum hako_frame {
  // ── to the supervisor ──
  HAKO_START = 1,     // first on the owner's session; struct below
  HAKO_EXEC = 2,      // first on a session; struct below
  HAKO_ATTACH = 3,    // first on a session; u32 HAKO_ATTACH_* flags · str the beginning of an exec's id, which only one has ("": the container's first process, without an answer of its own: a STATE after it has one; an exec's is STARTED, or FAILED with operation "attach")
  HAKO_STATE = 4,     // any time; no payload; answered by HAKO_STATE_REPLY
  HAKO_SIGNAL = 5,    // i32 signal, to the session's process (the exec's, else the container's first)
  HAKO_STDIN = 6,     // raw bytes
  HAKO_STDIN_EOF = 7, // half-close
  HAKO_RESIZE = 8,    // u16 rows · u16 columns
  HAKO_HOLD = 9,      // u8: 1 = this session is an owner's too: its end ends a container that is not detached, and it is told LOG_ROTATED; 0 = take that back, and on an exec's session: no end of a session ends the exec or its stdin from now on
  HAKO_GO = 11,       // after PREPARED, and the only frame then: struct below
  HAKO_GROUP = 10,    // str cgroup directory: made if it is absent, removed with those of START, and joined by every exec from now on, also by those on their way; FAILED (operation "cgroup") when that fails, and the session goes on

  // ── from the supervisor ──
  HAKO_PREPARED = 71, // no payload: the container waits for GO; see HAKO_START_WAIT
  HAKO_STARTED = 64,     // i32 pid in the supervisor's pid namespace · u64 start time in ticks (proc_pid_stat(5) field 22) · i64 ns since the epoch · u32 uid · u32 gid · u8 has a terminal
  HAKO_FAILED = 65,      // str operation · i32 errno (0: not a system call's) · str detail; nothing of the request is left behind
  HAKO_OUTPUT = 66,      // u8 stream (1 stdout, 2 stderr; a tty is 1) · raw bytes
  HAKO_EXITED = 67,      // i32 exit code (0–255; 128 + signal) · i32 signal or 0 · u8 OOM-killed · i64 ns since the epoch · u8 cleared: nothing of the container is left in the kernel; last frame of a session, after all OUTPUT
  HAKO_STATE_REPLY = 68, // u8 running · i32 pid · u64 start time · i64 started at · u32 live execs · u64 log records written · u64 log records lost
  HAKO_LOG_ROTATED = 69, // to the owners' sessions, no payload: a rotated file waits to be compressed
  HAKO_OOM = 70,         // u64 OOM kills since the start; to the container's sessions (not to execs'), each time there were more
};

// START:
//   u32 version · u32 flags (HAKO_START_*) · u32 attach (HAKO_ATTACH_*: what the owner's session receives)
//   str title                     shown by ps for the supervisor
//   u32 unshare                   CLONE_NEW* of the namespaces to make
//   list<u32 CLONE_NEW* · u32 index> join    namespaces to enter, by index into the extra descriptors
//   idmap                         see below
//   list<cgroup step>             run in order by the supervisor
//   str oom file · str oom key    a file of "key count" lines, or empty; a count that grew by the exit means an OOM kill
//   str hostname · str domainname empty: leave
//   list<setup op>                run in order by the container's first process
//   process                       see below
//   sink                          where output is kept
//
// GO:
//   u32 flags (HAKO_GO_*) · list<str> argv · list<str> env ("NAME=value", complete) · str cwd
//
// EXEC:
//   str id, by which others may attach (at most 64 bytes) · u32 flags (HAKO_EXEC_*) · u32 attach · list<str> cgroup directories to join · process
//
// idmap:   u8 HAKO_IDMAP_* · str uid map · str gid map (lines as in user_namespaces(7)) · u8 deny setgroups
//          · str path of newuidmap · str path of newgidmap
//
// process: list<str> argv · list<str> env ("NAME=value") · str cwd · str user · list<str> additional groups
//          · u32 HAKO_PROCESS_* · u64 bounding · u64 effective · u64 permitted · u64 inheritable · u64 ambient
//          · u32 umask · list<u32 resource · u64 soft · u64 hard> rlimits · i32 oom_score_adj (INT32_MIN: leave)
//          · bytes seccomp program (struct sock_filter[], empty: none) · u32 seccomp(2) flags
//          · bytes id emulation (struct sock_filter[], empty: none; what it gives to SECCOMP_RET_USER_NOTIF the
//            supervisor answers: see supervisor/id_emulation.h) · str AppArmor profile
//          · u16 rows · u16 columns
//   user is what the image or the caller wrote ("", "1000", "app", "app:grp", "1000:100"), resolved in the
//   container's own /etc/passwd and /etc/group as Docker does: a number is never looked up as a name's uid field,
//   0 ≤ id < 2^31. For a user other than 0, permitted and effective are exactly `ambient`. With id emulation the
//   process is that user by the supervisor's word only, and uid 0 to the kernel.
//   HOME is added from passwd (else "/") when env has none. argv[0] without a slash is looked up in env's PATH.
//
// sink:    u8 HAKO_SINK_*; for JSON_FILE: str file name · u64 max size (0: no limit) · u32 max files · u8 compress
//          · bytes attrs (a JSON object's text to put after "stream", or empty); for JOURNAL: str file name · u64 capacity in bytes · u8 blocking

#define HAKO_START_DETACHED 0x1u   // outlive the owner's session, once that has sent a HAKO_HOLD: until then its start may be recorded nowhere
#define HAKO_START_DURABLE 0x2u    // fsync the exit record
#define HAKO_START_STDIN 0x4u      // the process has a stdin; else /dev/null
#define HAKO_START_STDIN_ONCE 0x8u // close it when the first attached session with stdin ends

// Answered by PREPARED: the first process is set up up to its working directory, has its streams, and waits for GO, from
// where all goes on as it would have without it. START's argv, env and cwd are left empty. Until GO the end of the
// owner's session undoes everything, no other session is taken, and FAILED can come at any time.
#define HAKO_START_WAIT 0x10u

#define HAKO_GO_STDIN 0x1u // the stdin that START has asked for is wanted; else /dev/null

#define HAKO_EXEC_DETACHED 0x1u // outlive the session
#define HAKO_EXEC_STDIN 0x4u

#define HAKO_ATTACH_STDIN 0x1u
#define HAKO_ATTACH_STDOUT 0x2u
#define HAKO_ATTACH_STDERR 0x4u

#define HAKO_PROCESS_TTY 0x1u
#define HAKO_PROCESS_NO_NEW_PRIVS 0x2u
#define HAKO_PROCESS_INIT 0x4u        // START only: pid 1 stays ours, forwards signals and reaps; the program is its child
#define HAKO_PROCESS_CREATE_CWD 0x8u  // make the working directory when it is not there

enum hako_idmap_method {
  HAKO_IDMAP_NONE = 0,
  HAKO_IDMAP_DIRECT = 1,  // the supervisor writes /proc/<pid>/{uid,gid}_map
  HAKO_IDMAP_HELPERS = 2, // newuidmap(1), newgidmap(1)
};

enum hako_cgroup_step {
  HAKO_CGROUP_MKDIR = 1,  // str path; removed again when the container has ended
  HAKO_CGROUP_WRITE = 2,  // str path of the file · bytes value, one write(2)
  HAKO_CGROUP_JOIN = 3,   // str directory: the first process goes in by cgroup.procs
  HAKO_CGROUP_INTO = 4,   // str directory (v2): by CLONE_INTO_CGROUP
  HAKO_CGROUP_DEVICES = 5, // str directory (v2) · bytes struct bpf_insn[]: attached as BPF_CGROUP_DEVICE
};

// A path in a setup op is inside the root being built, resolved with
// RESOLVE_IN_ROOT, unless it is called a host path. "" is the root itself.
enum hako_setup_op {
  HAKO_OP_PROPAGATION = 1, // u64 MS_* of "/" (recursive), before anything is mounted
  HAKO_OP_MOUNT = 2,       // str type · str source · str path · u64 MOUNT_ATTR_* · list<str key · str value> ("" value: a flag) · u32 HAKO_TARGET_*
  HAKO_OP_BIND = 3,        // str host path · str path · u64 attributes to set · u64 to clear · u64 propagation (MS_*, 0: leave) · u32 HAKO_TARGET_* | HAKO_BIND_*
  HAKO_OP_MKDIR = 4,       // str path · u32 mode; there already: left alone if a directory
  HAKO_OP_SYMLINK = 5,     // str target · str path; there already as any link: left alone
  HAKO_OP_MKNOD = 6,       // str path · u32 mode with S_IF* · u32 major · u32 minor · u32 uid · u32 gid
  HAKO_OP_PIVOT = 7,       // the root becomes "/", the host's is gone
  HAKO_OP_MASK = 8,        // str path; a file is hidden by /dev/null, a directory by an empty read-only tmpfs; absent: nothing
  HAKO_OP_READONLY = 9,    // str path; absent: nothing
  HAKO_OP_SYSCTL = 10,     // str name ("net.ipv4.ip_forward" or with slashes) · str value
  HAKO_OP_CONSOLE = 11,    // a pty of the container's own devpts, its slave on /dev/console; only with HAKO_PROCESS_TTY
  HAKO_OP_LOOPBACK = 12,   // bring lo up
  HAKO_OP_LAYERS = 14,     // str host path; opened and shifted as by HAKO_BIND_HOST and HAKO_BIND_IDMAP. The next MOUNT is the overlay whose paths lead from there
  HAKO_OP_ROOT_ATTR = 13,  // str path of one of the mounts that make up the root · u64 MOUNT_ATTR_* to set on that alone (read-only root), after all else
};

#define HAKO_TARGET_FILE 0x1u       // make the target as a file when absent
#define HAKO_TARGET_DIR 0x2u        // make it as a directory
#define HAKO_TARGET_NO_FOLLOW 0x4u  // a symlink as last component is an error ("ordinary directory" for /proc and /sys)
#define HAKO_BIND_RECURSIVE 0x10u
#define HAKO_BIND_OPTIONAL 0x20u    // a source that is absent is passed over
#define HAKO_BIND_DEVICE 0x40u      // the source must be a device node
#define HAKO_BIND_HOST 0x80u        // the source is opened with the supervisor's rights, not with those of the user namespace's root
#define HAKO_BIND_IDMAP 0x100u      // with HAKO_BIND_HOST: ids are shifted by the container's idmap (MOUNT_ATTR_IDMAP)

enum hako_sink {
  HAKO_SINK_NONE = 0,
  HAKO_SINK_JSON_FILE = 1,
  HAKO_SINK_JOURNAL = 2,
};

#endif
