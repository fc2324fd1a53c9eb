import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as mirror from '../../src/native/worker/constants.ts';

const header = readFileSync(new URL('../../native/worker/worker_protocol.h', import.meta.url), 'utf8').replaceAll(
  /\/\/.*$/gm,
  '',
);

function constantsOfHeader(): Record<string, number | string> {
  const defines = header.matchAll(/^#define (HAKO_\w+)[ \t]+(\S.*?)[ \t]*$/gm);
  const enumerators = header.matchAll(/\b(HAKO_\w+) = (\d+)/g);
  return Object.fromEntries([...defines, ...enumerators].map(([, name, value]) => [name, evaluate(value ?? '')]));
}

function evaluate(expression: string): number | string {
  const text = /^"(.*)"$/.exec(expression)?.[1];
  if (text !== undefined) return text;
  const number = /^\(?(0x[0-9a-f]+|\d+)u?(?: << (\d+))?\)?$/i.exec(expression);
  if (number === null) throw new Error(`the test cannot read '${expression}'`);
  return Number(number[1]) << Number(number[2] ?? 0);
}

function constantsOfMirror(): Record<string, number | string> {
  const groups: Record<string, Record<string, number | string>> = {
    HAKO_: {
      WORKER_VERSION: mirror.WORKER_VERSION,
      WORKER_MAX_REQUEST: mirror.WORKER_MAX_REQUEST,
      OWNER_XATTR: mirror.OWNER_XATTR,
    },
    HAKO_WORKER_FD_: mirror.WorkerFd,
    HAKO_WORKER_: mirror.WorkerFrameType,
    HAKO_TREE_: mirror.TreeKind,
    HAKO_WHITEOUTS_: mirror.WhiteoutsMode,
    HAKO_OPAQUE_: mirror.OpaqueXattr,
    HAKO_OWNERSHIP_: mirror.OwnershipMode,
    HAKO_UNPACK_: mirror.UnpackFlag,
    HAKO_PACK_: mirror.PackFlag,
    HAKO_COMPARE_: mirror.CompareFlag,
    HAKO_MOUNT_: mirror.MountSource,
    HAKO_MOUNTPOINT_: mirror.MountpointKind,
  };
  return Object.fromEntries(
    Object.entries(groups).flatMap(([prefix, group]) =>
      Object.entries(group).map(([name, value]) => [prefix + name, value]),
    ),
  );
}

test('the TypeScript mirror has every constant of worker_protocol.h and no other', () => {
  expect(Object.keys(constantsOfHeader()).length).toBeGreaterThan(25);
  expect(constantsOfMirror()).toEqual(constantsOfHeader());
});
