/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "suggest.h"

#include <string.h>

enum {
    WORD_MAX = 40
};

guint
suggest_get_distance(const char *a, const char *b)
{
    guint rows[WORD_MAX + 1][WORD_MAX + 1];
    gsize a_length = strlen(a);
    gsize b_length = strlen(b);

    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return (guint) MIN(MAX(a_length, b_length), G_MAXUINT);
    for (gsize i = 0; i <= a_length; i++) {
        for (gsize j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = (guint) (i + j);
                continue;
            }
            rows[i][j] = MIN(MIN(rows[i - 1][j], rows[i][j - 1]) + 1,
                             rows[i - 1][j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                rows[i][j] = MIN(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    }
    return rows[a_length][b_length];
}

const char *
suggest_find(const char *text, const char *const *words)
{
    const char *best = NULL;
    /* A third of the word may be wrong. */
    guint limit = (guint) MIN(strlen(text), WORD_MAX) / 3 + 1;

    for (; *words != NULL; words++) {
        guint distance = suggest_get_distance(text, *words);

        if (distance > limit || distance >= strlen(*words))
            continue;
        best = *words;
        limit = distance - 1;
        if (distance == 0)
            break;
    }
    return best;
}
