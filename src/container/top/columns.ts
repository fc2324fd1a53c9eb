import type { ContainerProcess } from './process-info.ts';

export interface Column {
  readonly title: string;
  text(process: ContainerProcess, now: Date): string;
}

const kibibytes = (bytes: number): string => String(Math.round(bytes / 1024));
const two = (value: number): string => String(value).padStart(2, '0');

/** `[dd-]hh:mm:ss` */
function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86_400);
  const rest = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60].map(two).join(':');
  return days > 0 ? `${days}-${rest}` : rest;
}

/** `[[dd-]hh:]mm:ss` */
const elapsed = (seconds: number): string => clock(seconds).replace(/^00:/, '');
/** `m:ss` */
const minutes = (seconds: number): string => `${Math.floor(seconds / 60)}:${two(Math.floor(seconds) % 60)}`;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The time of day within a day, `Nov24` before, the year before that. */
function started(time: Date, now: Date): string {
  if (now.getTime() - time.getTime() < 86_400_000) return `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (time.getFullYear() !== now.getFullYear()) return String(time.getFullYear());
  return `${months[time.getMonth()]}${two(time.getDate())}`;
}

const age = (process: ContainerProcess, now: Date): number => (now.getTime() - process.startedAt.getTime()) / 1000;

const column = (title: string, text: Column['text']): Column => ({ title, text });

const user = column('USER', ({ user: name }) => name);
const comm = column('COMMAND', ({ name }) => name);
const args = column('COMMAND', ({ command }) => command);
const start = column('STIME', ({ startedAt }, now) => started(startedAt, now));
const cpu = column('%CPU', ({ cpuPercent }) => cpuPercent.toFixed(1));
const memory = column('%MEM', ({ memoryPercent }) => memoryPercent.toFixed(1));
const rss = column('RSS', ({ residentMemory }) => kibibytes(residentMemory));
const vsz = column('VSZ', ({ virtualMemory }) => kibibytes(virtualMemory));
const tty = column('TT', ({ terminal }) => terminal);
const nice = column('NI', (process) => String(process.nice));
const threads = column('NLWP', (process) => String(process.threads));
const time = column('TIME', ({ cpuTime }) => clock(cpuTime));
const state = column('S', (process) => process.state);

/** By the names that ps(1) has for them in `-o`. */
export const columns: Readonly<Record<string, Column>> = {
  pid: column('PID', ({ pid }) => String(pid)),
  ppid: column('PPID', ({ parentPid }) => String(parentPid)),
  pgid: column('PGID', ({ processGroup }) => String(processGroup)),
  sid: column('SID', ({ session }) => String(session)),
  uid: column('UID', ({ uid }) => String(uid)),
  user,
  euser: { ...user, title: 'EUSER' },
  comm,
  ucmd: { ...comm, title: 'CMD' },
  args,
  cmd: { ...args, title: 'CMD' },
  command: args,
  s: state,
  state,
  stat: { ...state, title: 'STAT' },
  stime: start,
  start_time: { ...start, title: 'START' },
  lstart: column('STARTED', ({ startedAt }) => startedAt.toString().slice(0, 24)),
  etime: column('ELAPSED', (process, now) => elapsed(age(process, now))),
  etimes: column('ELAPSED', (process, now) => String(Math.max(0, Math.floor(age(process, now))))),
  time,
  cputime: time,
  tty,
  tt: tty,
  '%cpu': cpu,
  pcpu: cpu,
  c: column('C', ({ cpuPercent }) => String(Math.floor(cpuPercent))),
  '%mem': memory,
  pmem: memory,
  rss,
  rssize: rss,
  vsz,
  vsize: vsz,
  ni: nice,
  nice,
  nlwp: threads,
  thcount: { ...threads, title: 'THCNT' },
};

const titled = (name: keyof typeof columns & string, title: string): Column => ({ ...(columns[name] ?? comm), title });

/** `ps -ef`. */
export const fullFormat: readonly Column[] = [
  titled('user', 'UID'),
  titled('pid', 'PID'),
  titled('ppid', 'PPID'),
  titled('c', 'C'),
  titled('stime', 'STIME'),
  titled('tty', 'TTY'),
  titled('time', 'TIME'),
  titled('args', 'CMD'),
];

/** `ps aux`. */
export const userFormat: readonly Column[] = [
  titled('user', 'USER'),
  titled('pid', 'PID'),
  cpu,
  memory,
  vsz,
  rss,
  titled('tty', 'TTY'),
  titled('state', 'STAT'),
  titled('stime', 'START'),
  column('TIME', ({ cpuTime }) => minutes(cpuTime)),
  args,
];
