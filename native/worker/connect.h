// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_CONNECT_H
#define HAKO_CONNECT_H

#include <stdint.h>

#include "../common/failure.h"

// Connects to a port of the loopback addresses, as seen in a network namespace, and sends the connected socket over
// `channel` with one byte. Takes the namespace's descriptor over, and leaves this process in there with no capability.
int connect_loopback(int network, uint16_t port, int channel, struct failure *f);

#endif
