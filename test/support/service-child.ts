/** Starts a service, says its id and pid, and stays until it is killed. */
import { startService } from 'libhako/testing';

const [root = '', socket = ''] = process.argv.slice(2);
const service = await startService({
  root,
  command: ['redis-server', '--port', '0', '--unixsocket', '/sockets/redis.sock', '--save', ''],
  mounts: [{ type: 'bind', source: socket, target: '/sockets' }],
  ready: { log: 'ready to accept' },
});
const { state } = await service.container.inspect();
process.stdout.write(`${JSON.stringify({ id: service.container.id, state })}\n`);
setInterval(() => {}, 1000);
