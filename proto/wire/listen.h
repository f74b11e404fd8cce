/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/**
 * Listens at path; returns the socket, or -1.  A socket that nobody answers on is
 * replaced; one that is answered, and anything else, is an error.  The mode and the group
 * ((gid_t) -1: our own) are set before anybody can connect.
 */
int wire_listen(const char *path, mode_t mode, gid_t group, GError **error);
