/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/** Puts a copy of text, which may be NULL or what is there, in the place of a text. */
void text_replace(char **place, const char *text);
