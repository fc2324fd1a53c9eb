/** struct bpf_cgroup_dev_ctx (linux/bpf.h). */
export interface DeviceContext {
  readonly accessType: number;
  readonly major: number;
  readonly minor: number;
}

const steps = 10_000;

/**
 * Runs a device program as the kernel would: only the instructions that hako's compiler may use, each checked, so
 * that a wrong opcode, a jump out of the program or an unset register is an error and not an answer.
 */
export function runDeviceProgram(program: Uint8Array, context: DeviceContext): number {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  if (program.byteLength === 0 || program.byteLength % 8 !== 0) throw new Error('not whole instructions');
  const count = program.byteLength / 8;
  const registers: (bigint | 'context' | undefined)[] = new Array(11).fill(undefined);
  registers[1] = 'context';
  const number = (index: number): bigint => {
    const value = registers[index];
    if (typeof value !== 'bigint') throw new Error(`r${index} is read and holds no number`);
    return value;
  };
  for (let at = 0, step = 0; ; at++, step++) {
    if (at < 0 || at >= count) throw new Error(`jumped out of the program, to ${at}`);
    if (step > steps) throw new Error('does not end');
    const op = view.getUint8(at * 8);
    const dst = view.getUint8(at * 8 + 1) & 0xf;
    const src = view.getUint8(at * 8 + 1) >> 4;
    const offset = view.getInt16(at * 8 + 2, true);
    const imm = BigInt(view.getInt32(at * 8 + 4, true));
    const unsigned = BigInt.asUintN(64, imm);
    switch (op) {
      case 0x61: {
        if (registers[src] !== 'context') throw new Error('loads from what is not the context');
        const fields: Record<number, number> = { 0: context.accessType, 4: context.major, 8: context.minor };
        const field = fields[offset];
        if (field === undefined) throw new Error(`loads from the offset ${offset}`);
        registers[dst] = BigInt(field >>> 0);
        break;
      }
      case 0x54:
        registers[dst] = BigInt.asUintN(32, number(dst) & unsigned);
        break;
      case 0x74:
        registers[dst] = BigInt.asUintN(32, number(dst)) >> unsigned;
        break;
      case 0xb7:
        registers[dst] = unsigned;
        break;
      case 0xbc:
        registers[dst] = BigInt.asUintN(32, number(src));
        break;
      case 0x05:
        at += offset;
        break;
      case 0x55:
        if (number(dst) !== unsigned) at += offset;
        break;
      case 0x45:
        if ((number(dst) & unsigned) !== 0n) at += offset;
        break;
      case 0x95:
        return Number(number(0));
      default:
        throw new Error(`unknown instruction 0x${op.toString(16)} at ${at}`);
    }
  }
}
