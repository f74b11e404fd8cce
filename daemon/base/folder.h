/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * Fails unless path is a folder in which nobody but root and ourselves can put, take or
 * exchange anything: no link, not another user's, not writable by group or others.  One
 * that is not there, or that we may not come to, is good: it will be made, or is not ours
 * to judge.
 */
bool folder_check(const char *path, GError **error);
