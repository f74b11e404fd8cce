/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/**
 * Files that options name.  Fails with PROTO_ERROR_INVALID_PARAMETER, which names the
 * file.
 */

/** The text of a file, or of the standard input for "-", of at most max_bytes (0: any).
 */
char *input_read_file(const char *path, gsize max_bytes, GError **error);

/**
 * OpenSSH public keys: text itself if it is one, else those of the file of that name, one
 * a line.  A private key is refused: it must never leave its owner.
 */
char **input_read_keys(const char *text, GError **error);
