import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as protocol from '../../src/native/protocol.ts';

const header = readFileSync(new URL('../../native/protocol.h', import.meta.url), 'utf8');

/** Every `#define HAKO_X value` and enumerator of the header, by name. */
function constantsOfHeader(): Map<string, number | string> {
  const text = header.replaceAll(/\/\/.*$/gm, '');
  const constants = new Map<string, number | string>();
  for (const [, name, value] of text.matchAll(/^#define (HAKO_\w+)[ \t]+(\S.*?)[ \t]*$/gm))
    constants.set(name as string, evaluate(value as string));
  for (const [, body] of text.matchAll(/enum \w+ \{([^}]*)\}/g)) {
    for (const [, name, value] of (body as string).matchAll(/(HAKO_\w+) = ([^,]+)/g))
      constants.set(name as string, evaluate(value as string));
  }
  return constants;
}

function evaluate(expression: string): number | string {
  const string = /^"(.*)"$/.exec(expression);
  if (string) return string[1] as string;
  const number = /^\(?(0x[0-9a-f]+|\d+)u?(?: << (\d+))?\)?$/i.exec(expression);
  if (!number) throw new Error(`the test cannot read '${expression}'`);
  return Number(number[1]) << Number(number[2] ?? 0);
}

function constantsOfMirror(): Map<string, number | string> {
  const groups: Record<string, Record<string, number | string>> = {
    HAKO_: {
      ...protocol.FrameType,
      PROTOCOL_VERSION: protocol.PROTOCOL_VERSION,
      CONTROL_SOCKET: protocol.CONTROL_SOCKET,
      EXIT_RECORD: protocol.EXIT_RECORD,
      MAX_REQUEST: protocol.MAX_REQUEST,
      MAX_FRAME: protocol.MAX_FRAME,
    },
    HAKO_FD_: protocol.SupervisorFd,
    HAKO_START_: protocol.StartFlag,
    HAKO_GO_: protocol.GoFlag,
    HAKO_EXEC_: protocol.ExecFlag,
    HAKO_ATTACH_: protocol.AttachFlag,
    HAKO_PROCESS_: protocol.ProcessFlag,
    HAKO_IDMAP_: protocol.IdMapMethod,
    HAKO_CGROUP_: protocol.CgroupStepType,
    HAKO_OP_: protocol.SetupOperationType,
    HAKO_TARGET_: protocol.TargetFlag,
    HAKO_BIND_: protocol.BindFlag,
    HAKO_SINK_: protocol.SinkType,
  };
  const constants = new Map<string, number | string>();
  for (const [prefix, group] of Object.entries(groups)) {
    for (const [name, value] of Object.entries(group)) constants.set(prefix + name, value);
  }
  return constants;
}

test('the TypeScript mirror has every constant of protocol.h and no other', () => {
  const byName = (map: Map<string, number | string>) =>
    Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
  expect(constantsOfHeader().size).toBeGreaterThan(60);
  expect(byName(constantsOfMirror())).toEqual(byName(constantsOfHeader()));
});

test("the kernel's constants are those of its headers", () => {
  const expected: Record<string, bigint> = {};
  const sources = ['/usr/include/linux/mount.h', '/usr/include/linux/sched.h']
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  for (const [, name, value, shift] of sources.matchAll(
    /^#define\s+((?:MOUNT_ATTR|MS|CLONE_NEW)\w*)\s+\(?(0x[0-9A-Fa-f]+|\d+)(?:\s*<<\s*(\d+))?/gm,
  )) {
    expected[name as string] = BigInt(value as string) << BigInt(shift ?? 0);
  }
  const ours = Object.entries(protocol).filter(([name]) => /^(MOUNT_ATTR|MS|CLONE_NEW)_?/.test(name));
  expect(ours.length).toBe(24);
  for (const [name, value] of ours) expect([name, BigInt(value as bigint | number)]).toEqual([name, expected[name]]);
});
