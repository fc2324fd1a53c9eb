// The owner of a detached container that writes for a while: to be killed by a test.
import { jsonFile, SupervisorProcess, shell } from './supervisor-process.ts';

const supervisor = new SupervisorProcess(process.argv[2]);
supervisor.start({
  detached: true,
  sink: jsonFile(),
  process: shell('seq 1 300000; sleep 0.5; seq 300001 300100; exit 3'),
});
await supervisor.owner.next('started');
supervisor.owner.send({ type: 'hold', hold: true });
console.log(supervisor.child.pid);
