/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "host/connection.h"

/**
 * Serves io.vmctl.host on n_fds connected sockets from first on.  Quits loop when the
 * last of them has closed.
 */
void service_start(const HostOptions *options, int first, guint n_fds, GMainLoop *loop);
