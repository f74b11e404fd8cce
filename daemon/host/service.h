/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "host/connection.h"

/** Serves io.vmctl.host on these connected sockets.  Quits loop when the last of them has
 * closed. */
void
service_start(const HostOptions *options, const int *fds, guint n_fds, GMainLoop *loop);
