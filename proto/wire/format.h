/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/** text as it is shown in a message: printable ASCII, the rest as \xNN, at most 64 bytes
 * of it. */
char *wire_format_shown(const char *text);

/** Whether text may be the key of a dict: 1 to 63 bytes without control characters. */
bool wire_format_is_key(const char *text);
