/** One system call as a seccomp filter sees it: struct seccomp_data, of which the instruction pointer is always 0 here. */
export interface SystemCall {
  readonly number: number;
  /** AUDIT_ARCH_*. */
  readonly architecture: number;
  readonly arguments: readonly bigint[];
}

const LD_ABS = 0x20;
const AND = 0x54;
const JA = 0x05;
const JEQ = 0x15;
const JGT = 0x25;
const JGE = 0x35;
const JSET = 0x45;
const RET = 0x06;

/** A classic BPF program (struct sock_filter[]), run as the kernel would. It throws on what the kernel would refuse. */
export class ClassicBpf {
  readonly #words: Uint32Array;
  readonly length: number;

  constructor(program: Uint8Array) {
    this.#words = new Uint32Array(program.slice().buffer);
    this.length = program.length / 8;
  }

  run(call: SystemCall): number {
    const data = new Uint32Array(16);
    data[0] = call.number;
    data[1] = call.architecture;
    call.arguments.forEach((value, index) => {
      data[4 + index * 2] = Number(value & 0xffff_ffffn);
      data[5 + index * 2] = Number(value >> 32n);
    });
    return this.#execute(data);
  }

  #execute(data: Uint32Array): number {
    let a = 0;
    for (let pc = 0; pc < this.length; pc++) {
      const head = this.#words[pc * 2] as number;
      const k = this.#words[pc * 2 + 1] as number;
      const jump = (condition: boolean): number => (condition ? (head >>> 16) & 0xff : head >>> 24);
      switch (head & 0xffff) {
        case LD_ABS:
          a = data[k / 4] as number;
          break;
        case AND:
          a = (a & k) >>> 0;
          break;
        case JA:
          pc += k;
          break;
        case JEQ:
          pc += jump(a === k);
          break;
        case JGT:
          pc += jump(a > k);
          break;
        case JGE:
          pc += jump(a >= k);
          break;
        case JSET:
          pc += jump((a & k) !== 0);
          break;
        case RET:
          return k;
        default:
          throw new Error(`instruction ${pc} has the unknown code ${head & 0xffff}`);
      }
    }
    throw new Error('the program ends without a verdict');
  }
}
