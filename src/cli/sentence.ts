import { HakoError } from '../base/errors.ts';
import { visible } from './output/visible.ts';

/** What the library's remedies are called here. */
const spoken: readonly (readonly [RegExp, string])[] = [
  [/runtime\.containers\.list\(\)/, 'hako ps -a'],
  [/look at the list of images/, 'look at hako images'],
  [/runtime\.info\(\)/, 'hako info'],
  [/Runtime\.open\(\{ root \}\)/, 'hako --root DIR'],
  [/import\(\{ kind: 'rootfs', rootfs: '(.*)' \}\)/, 'hako import --rootfs $1'],
  [/remove it with force\b/, 'remove it with hako rm -f'],
  [/the option 'nativeDirectory' or HAKO_NATIVE_DIR/, 'HAKO_NATIVE_DIR'],
];

/** Options of the library that are not called here what they are called there. */
const otherNames: Readonly<Record<string, string>> = {
  autoRemove: '--rm',
  blkioDeviceReadIOps: '--device-read-iops',
  blkioDeviceWriteIOps: '--device-write-iops',
  capabilities: '--cap-add, --cap-drop',
  devices: '--device',
  groups: '--group-add',
  labels: '--label',
  mounts: '--volume, --mount, --tmpfs',
  noNewPrivileges: '--security-opt no-new-privileges',
  pids: '--pids-limit',
  readonlyRoot: '--read-only',
  seccomp: '--security-opt seccomp',
  stdin: '--interactive',
  storageQuota: '--storage-opt size',
  ulimits: '--ulimit',
  workingDirectory: '--workdir',
};

/** What the library calls by more than one name is an option of its, wherever it stands. */
const nested = /\b(?:resources|ulimits)\.\w+/g;
const notValid = /^These \w+ options are not valid: (.*)$/s;
const paths = /^(\w+(?:\.\w+)*(?:, \w+(?:\.\w+)*)*): (.*)$/s;

/** An error as one sentence for whoever typed the command; what is no HakoError is a mistake of ours, with its stack. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof HakoError)) return String((error as Error).stack);
  const message = spoken.reduce((text, [api, command]) => text.replace(api, command), error.message);
  return inFlags(message).split('\n').map(visible).join('\n');
}

/** A complaint about options of the library, as one about what was typed. */
function inFlags(message: string): string {
  const [, complaints] = notValid.exec(message) ?? [];
  if (complaints === undefined) return message.replace(nested, (path) => flagOf(path));
  return complaints
    .split('; ')
    .map((complaint) => {
      const [, names, reason] = paths.exec(complaint) ?? [];
      return names === undefined ? complaint : `${names.split(', ').map(flagOf).join(', ')}: ${reason}`;
    })
    .join('; ');
}

/** `resources.cpusetCpus` and the like. */
function flagOf(path: string): string {
  const [first = '', second = ''] = path.split('.');
  if (first === 'ulimits' && second !== '') return `--ulimit ${second}`;
  const isGroup = first === 'resources' || first === 'namespaces';
  if (first === 'healthcheck' && second !== '') return `--health-${second === 'test' ? 'cmd' : kebab(second)}`;
  const name = isGroup ? second : first;
  return otherNames[name] ?? `--${kebab(name.replace(/^blkioDevice/, 'device'))}`;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
