import {
  AttachFlag,
  CgroupStepType,
  ExecFlag,
  FrameType,
  GoFlag,
  IdMapMethod,
  MAX_FRAME,
  MAX_REQUEST,
  PROTOCOL_VERSION,
  ProcessFlag,
  SinkType,
  StartFlag,
} from './constants.ts';
import { writeSetupOperation } from './encode-setup.ts';
import type { ClientFrame } from './frames.ts';
import type {
  AttachStreams,
  CgroupStep,
  ExecRequest,
  GoRequest,
  IdMapRequest,
  ProcessRequest,
  SinkRequest,
  StartRequest,
} from './requests.ts';
import { FrameWriter } from './wire.ts';

const LEAVE_OOM_SCORE = -0x8000_0000;

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for a NUL in a string, a number out of range, a request over 8 MiB. */
export function encodeStart(request: StartRequest): Buffer {
  const writer = new FrameWriter(FrameType.START, MAX_REQUEST, 16 << 10)
    .u32(PROTOCOL_VERSION, 'protocol version')
    .u32(startFlags(request), 'flags')
    .u32(attachFlags(request.attach), 'attach')
    .str(request.title, 'title')
    .u32(request.unshare, 'set of namespaces');
  writer.list(request.join, (join) => writer.u32(join.kind, 'namespace').u32(join.index, 'descriptor index'));
  writeIdMap(writer, request.idMap);
  writer.list(request.cgroup, (step) => writeCgroupStep(writer, step));
  writer.str(request.oom?.file ?? '', 'OOM file').str(request.oom?.key ?? '', 'OOM key');
  writer.str(request.hostname, 'host name').str(request.domainname, 'domain name');
  writer.list(request.setup, (operation) => writeSetupOperation(writer, operation));
  writeProcess(writer, request.wait ? { ...request.process, argv: [], env: [], cwd: '' } : request.process);
  writeSink(writer, request.sink);
  return writer.finish();
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for a NUL in a string, a request over 8 MiB. */
export function encodeGo(request: GoRequest): Buffer {
  const writer = new FrameWriter(FrameType.GO, MAX_REQUEST, 1 << 10).u32(request.stdin ? GoFlag.STDIN : 0, 'flags');
  return writeCommand(writer, request).finish();
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for a NUL in a string, a number out of range, a request over 8 MiB. */
export function encodeExec(request: ExecRequest): Buffer {
  const writer = new FrameWriter(FrameType.EXEC, MAX_REQUEST)
    .str(request.id, 'id')
    .u32((request.detached ? ExecFlag.DETACHED : 0) | (request.stdin ? ExecFlag.STDIN : 0), 'flags')
    .u32(attachFlags(request.attach), 'attach')
    .strings(request.cgroups, 'directory of a control group');
  writeProcess(writer, request.process);
  return writer.finish();
}

/** @throws HakoError `HAKO_ERR_INVALID_OPTION` for a number out of range or more than 64 KiB of data. */
export function encodeFrame(frame: ClientFrame): Buffer {
  switch (frame.type) {
    case 'attach':
      return new FrameWriter(FrameType.ATTACH, MAX_FRAME, 128)
        .u32(attachFlags(frame), 'attach')
        .str(frame.exec ?? '', 'id of an exec')
        .finish();
    case 'state':
      return new FrameWriter(FrameType.STATE, MAX_FRAME, 16).finish();
    case 'signal':
      return new FrameWriter(FrameType.SIGNAL, MAX_FRAME, 16).i32(frame.signal, 'signal').finish();
    case 'stdin':
      return new FrameWriter(FrameType.STDIN, MAX_FRAME, 16).raw(frame.data).finish();
    case 'stdin-eof':
      return new FrameWriter(FrameType.STDIN_EOF, MAX_FRAME, 16).finish();
    case 'resize':
      return new FrameWriter(FrameType.RESIZE, MAX_FRAME, 16)
        .u16(frame.rows, 'number of rows')
        .u16(frame.columns, 'number of columns')
        .finish();
    case 'hold':
      return new FrameWriter(FrameType.HOLD, MAX_FRAME, 16).bool(frame.hold).finish();
    case 'group':
      return new FrameWriter(FrameType.GROUP, MAX_FRAME).str(frame.directory, 'directory of a control group').finish();
  }
}

function startFlags(request: StartRequest): number {
  return (
    (request.detached ? StartFlag.DETACHED : 0) |
    (request.durable ? StartFlag.DURABLE : 0) |
    (request.stdin ? StartFlag.STDIN : 0) |
    (request.stdinOnce ? StartFlag.STDIN_ONCE : 0) |
    (request.wait ? StartFlag.WAIT : 0)
  );
}

function attachFlags(attach: AttachStreams): number {
  return (
    (attach.stdin ? AttachFlag.STDIN : 0) |
    (attach.stdout ? AttachFlag.STDOUT : 0) |
    (attach.stderr ? AttachFlag.STDERR : 0)
  );
}

function processFlags(process: ProcessRequest): number {
  return (
    (process.tty ? ProcessFlag.TTY : 0) |
    (process.noNewPrivileges ? ProcessFlag.NO_NEW_PRIVS : 0) |
    (process.init ? ProcessFlag.INIT : 0) |
    (process.createCwd ? ProcessFlag.CREATE_CWD : 0)
  );
}

const NO_ID_MAP = { uidMap: '', gidMap: '', denySetgroups: false };
const NO_HELPERS = { newuidmap: '', newgidmap: '' };
const idMapMethods = { none: IdMapMethod.NONE, direct: IdMapMethod.DIRECT, helpers: IdMapMethod.HELPERS } as const;

export function writeIdMap(writer: FrameWriter, request: IdMapRequest): void {
  const map = request.method === 'none' ? NO_ID_MAP : request;
  const helpers = request.method === 'helpers' ? request : NO_HELPERS;
  writer
    .u8(idMapMethods[request.method], 'id map method')
    .str(map.uidMap, 'uid map')
    .str(map.gidMap, 'gid map')
    .bool(map.denySetgroups);
  writer.str(helpers.newuidmap, 'path of newuidmap').str(helpers.newgidmap, 'path of newgidmap');
}

function writeCgroupStep(writer: FrameWriter, step: CgroupStep): void {
  switch (step.kind) {
    case 'mkdir':
      writer.u8(CgroupStepType.MKDIR, 'cgroup step').str(step.path, 'control group');
      return;
    case 'write':
      writer
        .u8(CgroupStepType.WRITE, 'cgroup step')
        .str(step.path, 'file of a control group')
        .bytes(typeof step.value === 'string' ? Buffer.from(step.value) : step.value);
      return;
    case 'join':
      writer.u8(CgroupStepType.JOIN, 'cgroup step').str(step.directory, 'control group');
      return;
    case 'into':
      writer.u8(CgroupStepType.INTO, 'cgroup step').str(step.directory, 'control group');
      return;
    case 'devices':
      writer.u8(CgroupStepType.DEVICES, 'cgroup step').str(step.directory, 'control group').bytes(step.program);
      return;
  }
}

function writeCommand(
  writer: FrameWriter,
  { argv, env, cwd }: Pick<ProcessRequest, 'argv' | 'env' | 'cwd'>,
): FrameWriter {
  return writer.strings(argv, 'command').strings(env, 'environment').str(cwd, 'working directory');
}

function writeProcess(writer: FrameWriter, process: ProcessRequest): void {
  const { capabilities, terminalSize } = process;
  writeCommand(writer, process)
    .str(process.user, 'user')
    .strings(process.additionalGroups, 'additional group')
    .u32(processFlags(process), 'flags')
    .u64(capabilities.bounding, 'bounding set')
    .u64(capabilities.effective, 'effective set')
    .u64(capabilities.permitted, 'permitted set')
    .u64(capabilities.inheritable, 'inheritable set')
    .u64(capabilities.ambient, 'ambient set')
    .u32(process.umask, 'umask')
    .list(process.rlimits, (limit) =>
      writer.u32(limit.resource, 'resource').u64(limit.soft, 'soft limit').u64(limit.hard, 'hard limit'),
    )
    .i32(process.oomScoreAdj ?? LEAVE_OOM_SCORE, 'OOM score')
    .bytes(process.seccomp?.program ?? new Uint8Array())
    .u32(process.seccomp?.flags ?? 0, 'seccomp flags')
    .bytes(process.idEmulation ?? new Uint8Array())
    .str(process.apparmorProfile, 'AppArmor profile')
    .u16(terminalSize.rows, 'number of rows')
    .u16(terminalSize.columns, 'number of columns');
}

function writeSink(writer: FrameWriter, sink: SinkRequest): void {
  switch (sink.kind) {
    case 'none':
      writer.u8(SinkType.NONE, 'sink');
      return;
    case 'json-file':
      writer
        .u8(SinkType.JSON_FILE, 'sink')
        .str(sink.file, 'log file')
        .u64(sink.maxSize, 'size of a log file')
        .u32(sink.maxFiles, 'number of log files');
      writer.bool(sink.compress).bytes(Buffer.from(sink.attributes));
      return;
    case 'journal':
      writer
        .u8(SinkType.JOURNAL, 'sink')
        .str(sink.file, 'journal')
        .u64(sink.capacity, 'capacity of the journal')
        .bool(sink.blocking);
      return;
  }
}
