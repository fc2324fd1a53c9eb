import { type ChildProcess, spawn } from 'node:child_process';
import {
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { locateNative } from '../../../src/native/loader.ts';
import {
  type ClientFrame,
  CONTROL_SOCKET,
  EXIT_RECORD,
  type ExecRequest,
  encodeExec,
  encodeFrame,
  encodeGo,
  encodeStart,
  type Frame,
  FrameDecoder,
  type GoRequest,
  type ProcessRequest,
  type StartRequest,
} from '../../../src/native/protocol.ts';

/** HAKO_SUPERVISOR chooses the binary under test: a sanitized one, another libc's. */
export const supervisorPath = process.env['HAKO_SUPERVISOR'] ?? locateNative().supervisor;

/** A sanitizer's shadow memory says nothing of ours. */
export const sanitized = readFileSync(supervisorPath).includes('__asan_init');

/** The frames that came over one connection, and what may be sent. */
export class RawSession {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  readonly closed: Promise<void>;
  readonly #decoder = new FrameDecoder();
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.frames.push(...this.#decoder.push(chunk));
      for (const wake of this.#waiting) wake();
    });
    // A reset after EXITED is as good an end as any.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        resolve();
        for (const wake of this.#waiting) wake();
      });
    });
  }

  send(frame: ClientFrame): void {
    this.socket.write(encodeFrame(frame));
  }

  /** Bytes as they are, sound or not. */
  sendRaw(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  go(argv: readonly string[], more: Partial<GoRequest> = {}): void {
    this.socket.write(encodeGo({ argv, env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'], cwd: '/', stdin: false, ...more }));
  }

  async exec(request: ExecRequest): Promise<Frame> {
    this.socket.write(encodeExec(request));
    return Promise.race([this.next('started'), this.next('failed')]);
  }

  /** The first frame of a type that has come or comes; rejects when the session ends without one. */
  next<T extends Frame['type']>(
    type: T,
    accept: (frame: Extract<Frame, { type: T }>) => boolean = () => true,
  ): Promise<Extract<Frame, { type: T }>> {
    const find = () =>
      this.frames.find(
        (frame): frame is Extract<Frame, { type: T }> =>
          frame.type === type && accept(frame as Extract<Frame, { type: T }>),
      );
    return new Promise((resolve, reject) => {
      const look = (): boolean => {
        const frame = find();
        if (frame !== undefined) resolve(frame);
        else if (this.socket.closed)
          reject(
            new Error(`the session ended without '${type}': ${JSON.stringify(this.frames.map((one) => one.type))}`),
          );
        else return false;
        this.#waiting.delete(look);
        return true;
      };
      if (!look()) this.#waiting.add(look);
    });
  }

  /** Resolves when the output so far satisfies the condition. */
  async until(condition: (output: string) => boolean, stream: 'stdout' | 'stderr' = 'stdout'): Promise<void> {
    await this.next('output', () => condition(this.output(stream).toString()));
  }

  /** Resolves when so many bytes of stdout have come. */
  async untilBytes(count: number): Promise<void> {
    let seen = 0;
    let next = 0;
    await this.next('output', () => {
      for (; next < this.frames.length; next++) {
        const frame = this.frames[next];
        if (frame?.type === 'output' && frame.stream === 'stdout') seen += frame.data.length;
      }
      return seen >= count;
    });
  }

  output(stream: 'stdout' | 'stderr' = 'stdout'): Buffer {
    return Buffer.concat(
      this.frames.flatMap((frame) => (frame.type === 'output' && frame.stream === stream ? [frame.data] : [])),
    );
  }
}

export interface SupervisorOptions {
  /** Files of which the supervisor gets descriptors, from HAKO_FD_EXTRA on. */
  readonly extra?: readonly string[];
  /** A command that makes way for the supervisor, such as setpriv(1). */
  readonly prefix?: readonly string[];
  /** Whose the state directory is. */
  readonly uid?: number;
}

/** A real supervisor with a state directory of its own; everything ends with it. */
export class SupervisorProcess implements AsyncDisposable {
  readonly directory: string;
  readonly child: ChildProcess;
  readonly owner: RawSession;
  readonly exited: Promise<number | null>;

  constructor(directory = mkdtempSync(join(tmpdir(), 'hako-supervisor-')), options: SupervisorOptions = {}) {
    this.directory = directory;
    const { extra = [], prefix = [], uid } = options;
    if (uid !== undefined) chownSync(directory, uid, uid);
    const state = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    const others = extra.map((path) => openSync(path, 'r'));
    const [program = '', ...words] = [...prefix, supervisorPath, String(others.length)];
    this.child = spawn(program, words, { stdio: ['ignore', 'ignore', 'inherit', 'pipe', state, ...others] });
    for (const fd of [state, ...others]) closeSync(fd);
    this.exited = new Promise((resolve) => this.child.on('exit', resolve));
    this.owner = new RawSession(this.child.stdio[3] as Socket);
  }

  static async started(request: Partial<StartRequest>, directory?: string): Promise<SupervisorProcess> {
    const supervisor = new SupervisorProcess(directory);
    supervisor.start(request);
    await supervisor.owner.next('started');
    return supervisor;
  }

  start(request: Partial<StartRequest>): void {
    this.owner.socket.write(encodeStart(startRequest(request)));
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  get exitRecord(): unknown {
    return existsSync(this.path(EXIT_RECORD)) ? JSON.parse(readFileSync(this.path(EXIT_RECORD), 'utf8')) : undefined;
  }

  /** Names in the state directory. */
  get names(): string[] {
    return readdirSync(this.directory).sort();
  }

  connect(): Promise<RawSession> {
    const socket = connect(this.path(CONTROL_SOCKET));
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawSession(socket)));
    });
  }

  /** Value in kB of a field of /proc/<pid>/smaps_rollup. */
  memory(field: 'Pss' | 'Rss' | 'Private_Dirty'): number {
    const rollup = readFileSync(`/proc/${this.child.pid}/smaps_rollup`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]);
  }

  get openDescriptors(): number {
    return readdirSync(`/proc/${this.child.pid}/fd`).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.owner.socket.destroy();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    await this.exited;
    clearTimeout(timer);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const allCapabilities = BigInt(`0x${/^CapBnd:\s+(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`);

/** A program of the host's root, in the host's namespaces: what surrounds it is not under test here. */
export function processRequest(argv: readonly string[], more: Partial<ProcessRequest> = {}): ProcessRequest {
  return {
    argv,
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
    cwd: '/',
    user: '0',
    additionalGroups: [],
    tty: false,
    noNewPrivileges: false,
    init: false,
    createCwd: false,
    capabilities: {
      bounding: allCapabilities,
      effective: allCapabilities,
      permitted: allCapabilities,
      inheritable: 0n,
      ambient: 0n,
    },
    umask: 0o022,
    rlimits: [],
    oomScoreAdj: null,
    seccomp: null,
    idEmulation: null,
    apparmorProfile: '',
    terminalSize: { rows: 24, columns: 80 },
    ...more,
  };
}

export function startRequest(more: Partial<StartRequest>): StartRequest {
  return {
    wait: false,
    detached: false,
    durable: false,
    stdin: false,
    stdinOnce: false,
    attach: { stdin: false, stdout: true, stderr: true },
    title: 'test',
    unshare: 0,
    join: [],
    idMap: { method: 'none' },
    cgroup: [],
    oom: null,
    hostname: '',
    domainname: '',
    setup: [],
    process: processRequest(['/bin/true']),
    sink: { kind: 'none' },
    ...more,
  };
}

export function execRequest(argv: readonly string[], more: Partial<ExecRequest> = {}): ExecRequest {
  return {
    id: '',
    detached: false,
    stdin: false,
    attach: { stdin: false, stdout: true, stderr: true },
    cgroups: [],
    process: processRequest(argv),
    ...more,
  };
}

/** A shell's command line. */
export const shell = (command: string): ProcessRequest => processRequest(['/bin/sh', '-c', command]);

export const jsonFile = (more: { maxSize?: number; maxFiles?: number; compress?: boolean; attributes?: string } = {}) =>
  ({
    kind: 'json-file',
    file: 'c-json.log',
    maxSize: 0,
    maxFiles: 1,
    compress: false,
    attributes: '',
    ...more,
  }) as const;
