// SPDX-License-Identifier: Apache-2.0
//
// HAKO_CONTROL_SOCKET: where sessions other than the owner's come in.
#ifndef HAKO_CONTROL_SOCKET_H
#define HAKO_CONTROL_SOCKET_H

// `connected` is given each connection, non-blocking, of this user or root.
// Returns 0 or -1 with errno and nothing left behind.
int control_socket_open(int directory, void (*connected)(int fd));

void control_socket_close(int directory);

// The same, but those who had come already are still given.
void control_socket_last_call(int directory);

#endif
