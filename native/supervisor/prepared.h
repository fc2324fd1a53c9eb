// SPDX-License-Identifier: Apache-2.0
//
// PHASE_PREPARED: see HAKO_START_WAIT.
#ifndef HAKO_PREPARED_H
#define HAKO_PREPARED_H

#include "handshake.h"
#include "session.h"

// Enters the phase, and answers. Takes the payload, the request's arena and the handshake.
void prepared_keep(struct session *owner, const struct start_request *request, uint8_t *payload,
                   const struct handshake *handshake);

void prepared_go(struct session *session, const void *payload, uint32_t length);

// False: it is no prepared container's.
bool prepared_reaped(pid_t pid, int signal);

void prepared_terminate(void);

// Undoes it all if that was the owner's session.
void prepared_left(const struct session *session);

#endif
