/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/**
 * Where messages go: the journal when stderr is connected to it, else stderr with the
 * time and the program's name. Use g_message(), g_info(), g_warning() and g_critical();
 * G_MESSAGES_DEBUG=all shows g_debug() and g_info(). Control characters are escaped and a
 * message is cut at 1 KiB, so that one message is one line. Call once, first thing in
 * main().
 */
void log_open(const char *program);
