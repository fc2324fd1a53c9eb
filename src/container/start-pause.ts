import { setTimeout as sleep } from 'node:timers/promises';
import { raceSignal } from '../base/signal.ts';

/** How often a start that is under way, here or in another process, is looked at, in milliseconds. */
const startPoll = 5;

/** Waits until it is worth while to look again at a container that is being started. @throws the signal's own reason */
export async function pauseForStart(signal?: AbortSignal): Promise<void> {
  await raceSignal(sleep(startPoll), signal);
}
