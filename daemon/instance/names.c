/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/names.h"

#include <string.h>

enum {
    TRIES = 100,
    LETTERS = 5,
    BYTES = 32
};

static char *
generate(const char *stem)
{
    static const char letters[] = "bcdfghjkmnpqrstvwxz23456789";
    GString *name =
        g_string_new_len(stem, (gssize) MIN(strlen(stem), (gsize) BYTES - LETTERS - 1));

    g_string_append_c(name, '-');
    for (int i = 0; i < LETTERS; i++) {
        g_string_append_c(name, letters[g_random_int_range(0, sizeof letters - 1)]);
    }
    return g_string_free(name, FALSE);
}

char **
names_generate(const char *stem, gsize n, NamesTaken is_taken, gpointer data)
{
    g_auto(GStrv) names = g_new0(char *, n + 1);
    g_autoptr(GHashTable) chosen = g_hash_table_new(g_str_hash, g_str_equal);
    gsize n_chosen = 0;

    /* Some are found anew: of 500 two are the same once in a hundred times. */
    for (gsize i = 0; n_chosen < n && i < n * TRIES; i++) {
        g_autofree char *name = generate(stem);

        if (is_taken(name, data) || !g_hash_table_add(chosen, name))
            continue;
        names[n_chosen++] = g_steal_pointer(&name);
    }
    return n_chosen == n ? g_steal_pointer(&names) : NULL;
}
