/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/** What is known of the store's thread: how many jobs it was given since the seed began,
 * and how many of the first of them are on disk. */
void thread_begin(void);
guint64 thread_count_given(void);
guint64 thread_count_kept(void);
