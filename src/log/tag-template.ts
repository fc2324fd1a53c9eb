import { HakoError } from '../base/errors.ts';
import type { LogContainerInfo } from '../contracts/log-driver.ts';
import { callTagFunction, type TagValue, tagFunctionNames } from './tag-functions.ts';
import { splitTemplate, type TagToken } from './tag-tokens.ts';

const shortIdLength = 12;
const maxDepth = 32;

/** What a template may name. As in Docker, the short image id still has its `sha256:`. */
const fields: Readonly<Record<string, (info: LogContainerInfo) => string>> = {
  ID: (info) => info.id.slice(0, shortIdLength),
  FullID: (info) => info.id,
  Name: (info) => info.name,
  Command: (info) => info.command,
  ImageID: (info) => info.imageId.slice(0, shortIdLength),
  ImageFullID: (info) => info.imageId,
  ImageName: (info) => info.imageName,
  DaemonName: () => 'hako',
  Hostname: (info) => info.hostname,
};

type Expression =
  | { readonly kind: 'constant'; readonly value: TagValue }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly parameters: readonly Expression[] };

/**
 * A `tag` option: text with Go template actions in it, `{{.Name}}/{{.ID}}` or `{{.ImageName | upper}}`. Fields,
 * pipelines, parentheses and Docker's functions are understood; what has a control flow (`if`, `range` …) is not.
 *
 * @public
 */
export class TagTemplate {
  readonly #pieces: readonly (string | Expression)[];

  /** @throws HakoError `HAKO_ERR_INVALID_OPTION`, naming what is not understood and what there is instead. */
  constructor(template: string) {
    this.#pieces = explain(template, () =>
      splitTemplate(template).map((piece) => (typeof piece === 'string' ? piece : new ActionParser(piece).parse())),
    );
    this.#template = template;
  }

  readonly #template: string;

  /** The tag of a container. @throws HakoError `HAKO_ERR_INVALID_OPTION` when a value does not fit the function that it is given to. */
  render(info: LogContainerInfo): string {
    return explain(this.#template, () =>
      this.#pieces.map((piece) => (typeof piece === 'string' ? piece : print(evaluate(piece, info)))).join(''),
    );
  }
}

function explain<T>(template: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof HakoError)) throw error;
    throw new HakoError('INVALID_OPTION', `The log tag '${template.slice(0, 200)}' cannot be used: ${error.message}.`, {
      cause: error,
    });
  }
}

function evaluate(expression: Expression, info: LogContainerInfo): TagValue {
  switch (expression.kind) {
    case 'constant':
      return expression.value;
    case 'field':
      return fields[expression.name]?.(info) ?? '';
    case 'call':
      return callTagFunction(
        expression.name,
        expression.parameters.map((parameter) => evaluate(parameter, info)),
      );
  }
}

/** As Go's fmt prints it. */
function print(value: TagValue): string {
  return typeof value === 'object' ? `[${value.join(' ')}]` : String(value);
}

class ActionParser {
  readonly #tokens: readonly TagToken[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly TagToken[]) {
    this.#tokens = tokens;
  }

  parse(): Expression {
    const expression = this.#pipeline();
    if (this.#next < this.#tokens.length)
      throw new HakoError('INVALID_OPTION', 'a parenthesis is closed that was not opened');
    return expression;
  }

  /** The value of each command is the last parameter of the one after it. */
  #pipeline(): Expression {
    let value = this.#command(null);
    while (this.#accept('|')) value = this.#command(value);
    return value;
  }

  #command(piped: Expression | null): Expression {
    const first = this.#tokens[this.#next];
    if (first?.kind === 'name') {
      this.#next++;
      return this.#call(first.value, piped);
    }
    if (piped !== null) throw new HakoError('INVALID_OPTION', "a function must follow '|'");
    const operand = this.#operand();
    if (operand === null)
      throw new HakoError(
        'INVALID_OPTION',
        `a field (${Object.keys(fields)
          .map((name) => `.${name}`)
          .join(' ')}) or a function (${tagFunctionNames.join(' ')}) is missing`,
      );
    if (this.#operand() !== null) throw new HakoError('INVALID_OPTION', 'only a function takes parameters');
    return operand;
  }

  #call(name: string, piped: Expression | null): Expression {
    if (!tagFunctionNames.includes(name))
      throw new HakoError('INVALID_OPTION', `function '${name}' is not known (known: ${tagFunctionNames.join(', ')})`);
    const parameters: Expression[] = [];
    for (let operand = this.#operand(); operand !== null; operand = this.#operand()) parameters.push(operand);
    if (piped !== null) parameters.push(piped);
    return { kind: 'call', name, parameters };
  }

  #operand(): Expression | null {
    const token = this.#tokens[this.#next];
    switch (token?.kind) {
      case 'field':
        if (!Object.hasOwn(fields, token.value))
          throw new HakoError(
            'INVALID_OPTION',
            `field '.${token.value}' is not known (known: ${Object.keys(fields)
              .map((name) => `.${name}`)
              .join(', ')})`,
          );
        this.#next++;
        return { kind: 'field', name: token.value };
      case 'text':
      case 'number':
        this.#next++;
        return { kind: 'constant', value: token.value };
      case '(':
        return this.#parenthesis();
      case 'name':
        throw new HakoError(
          'INVALID_OPTION',
          `'${token.value}' is not understood as a parameter; put a function that is one in parentheses`,
        );
      default:
        return null;
    }
  }

  #parenthesis(): Expression {
    if (++this.#depth > maxDepth)
      throw new HakoError('INVALID_OPTION', `parentheses are nested more than ${maxDepth} deep`);
    this.#next++;
    const expression = this.#pipeline();
    if (!this.#accept(')')) throw new HakoError('INVALID_OPTION', 'a parenthesis is not closed');
    this.#depth--;
    return expression;
  }

  #accept(kind: '|' | ')'): boolean {
    if (this.#tokens[this.#next]?.kind !== kind) return false;
    this.#next++;
    return true;
  }
}
