import { randomInt } from 'node:crypto';
import { HakoError } from '../base/errors.ts';

const pattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

const adjectives =
  'amber bold brisk calm clear cosy crisp deft eager fair fleet fond gentle glad grand keen kind light lively lucid merry mild neat noble plain proud quick quiet rapid ready sharp sleek smart snug solid spry steady still sunny swift tidy true warm wise'.split(
    ' ',
  );
const nouns =
  'acorn anchor basket beacon birch bottle box bridge cabin canoe casket cedar chest clover coffer crate ember fern flask grove hamper harbor heron jar juniper kettle kite lantern lark locker maple meadow otter parcel pebble pine pouch reed satchel shell sparrow trunk tulip vase willow'.split(
    ' ',
  );

/** @throws HakoError `HAKO_ERR_INVALID_NAME` */
export function parseName(name: string): string {
  if (!pattern.test(name)) {
    throw new HakoError(
      'INVALID_NAME',
      `'${name.slice(0, 130)}' cannot be a container's name: use up to 128 letters, digits, '_', '.' and '-', beginning with a letter or digit.`,
    );
  }
  return name;
}

/** A name for people to say, such as `calm_lantern`, unlikely to be taken: four hex digits make it so. */
export function randomName(): string {
  const pick = (words: readonly string[]) => words[randomInt(words.length)] ?? '';
  return `${pick(adjectives)}_${pick(nouns)}_${randomInt(0x10000).toString(16).padStart(4, '0')}`;
}
