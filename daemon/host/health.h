/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "proto.h"

/**
 * Whether a guest is well: its agent answers, or something at a port of it does.  The
 * address is the one that the host leased to it, or that the host has seen its MAC at:
 * never one that the guest itself tells, which could be anybody's.
 */

/**
 * Asks once, for a few seconds at most; blocks, on a thread.  What is wrong with the
 * guest is in ret_reply; fails only when the host cannot tell.
 */
bool health_check(virConnectPtr libvirt,
                  const ProtoWorkerCheckHealthCall *in,
                  ProtoWorkerCheckHealthReply *ret_reply,
                  GError **error);

/** The code of "HTTP/1.1 200 OK"; -1 if line is no such thing. */
int health_read_status(const char *line);
