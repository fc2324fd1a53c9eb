import type { DeviceRule } from '../contracts/isolation.ts';
import { type DeviceRuleBits, deviceRuleBits } from './device-rules.ts';

// Opcodes of eBPF (Documentation/bpf/standardization/instruction-set.rst).
const LOAD_WORD = 0x61;
const AND32 = 0x54;
const SHIFT_RIGHT32 = 0x74;
const MOVE = 0xb7;
const MOVE_REGISTER32 = 0xbc;
const JUMP = 0x05;
const JUMP_UNLESS_EQUAL = 0x55;
const JUMP_IF_ANY_BIT = 0x45;
const EXIT = 0x95;

// struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor; }, access_type = access << 16 | type (linux/bpf.h).
const Field = { accessType: 0, major: 4, minor: 8 } as const;
const Kind = { b: 1, c: 2 } as const;
const Register = { result: 0, context: 1, type: 2, access: 4, major: 5, minor: 6 } as const;

/**
 * Compiles device rules into a BPF_PROG_TYPE_CGROUP_DEVICE program, as struct bpf_insn[]: 1 allows, 0 denies.
 *
 * The last rule that covers an access decides, so rules are tried from the last to the first: each one that covers
 * a part of what is still undecided either denies at once or takes its part away. What is left over was covered by
 * no rule, and is denied. (access(2) with F_OK asks for no access at all, and gets it.)
 */
export function compileDeviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  return assemble([
    { op: LOAD_WORD, dst: Register.access, src: Register.context, offset: Field.accessType },
    { op: MOVE_REGISTER32, dst: Register.type, src: Register.access },
    { op: AND32, dst: Register.type, imm: 0xffff },
    { op: SHIFT_RIGHT32, dst: Register.access, imm: 16 },
    { op: LOAD_WORD, dst: Register.major, src: Register.context, offset: Field.major },
    { op: LOAD_WORD, dst: Register.minor, src: Register.context, offset: Field.minor },
    ...deviceRuleBits(rules).toReversed().flatMap(ruleBlock),
    { op: MOVE, dst: Register.result, imm: 0 },
    { op: JUMP_UNLESS_EQUAL, dst: Register.access, imm: 0, offset: 1 },
    { op: MOVE, dst: Register.result, imm: 1 },
    { op: EXIT },
  ]);
}

interface Instruction {
  readonly op: number;
  readonly dst?: number;
  readonly src?: number;
  /** In instructions, counted from the next one. */
  readonly offset?: number;
  readonly imm?: number;
}

function ruleBlock(rule: DeviceRuleBits): readonly Instruction[] {
  const decision: readonly Instruction[] = rule.allow
    ? [{ op: AND32, dst: Register.access, imm: ~rule.access & 0xffff }]
    : [{ op: MOVE, dst: Register.result, imm: 0 }, { op: EXIT }];
  const body: readonly Instruction[] = [
    { op: JUMP_IF_ANY_BIT, dst: Register.access, imm: rule.access, offset: 1 },
    { op: JUMP, offset: decision.length },
    ...decision,
  ];
  const conditions: (readonly [register: number, value: number])[] = [[Register.type, Kind[rule.type]]];
  if (rule.major !== null) conditions.push([Register.major, rule.major]);
  if (rule.minor !== null) conditions.push([Register.minor, rule.minor]);
  return [
    ...conditions.map(([dst, imm], index) => ({
      op: JUMP_UNLESS_EQUAL,
      dst,
      imm,
      offset: conditions.length - index - 1 + body.length,
    })),
    ...body,
  ];
}

function assemble(code: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(code.length * 8);
  code.forEach(({ op, dst = 0, src = 0, offset = 0, imm = 0 }, index) => {
    bytes.writeUInt8(op, index * 8);
    bytes.writeUInt8((src << 4) | dst, index * 8 + 1);
    bytes.writeInt16LE(offset, index * 8 + 2);
    bytes.writeInt32LE(imm, index * 8 + 4);
  });
  return bytes;
}
