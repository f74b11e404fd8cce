/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** How much of a file is looked at. */
#define QCOW2_HEADER_BYTES 512

/**
 * Whether the first bytes of a file are the header of a plain qcow2 image: version 2 or
 * 3, no backing file, no external data file, no encryption, no snapshots, no feature that
 * a reader must know, tables and a size that are sane.  Everything else that an image
 * format can make a host do (open other files, grow without bound) begins in this header.
 * Pure.  Fails with PROTO_ERROR_INVALID_PARAMETER (path "disk"), which says what is
 * wrong. Format: https://www.qemu.org/docs/master/interop/qcow2.html
 */
bool qcow2_check_header(const guint8 *header,
                        gsize length,
                        gint64 size_max,
                        gint64 *ret_size,
                        GError **error);
