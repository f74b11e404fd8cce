/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/process.h"

#include <unistd.h>

gint64
process_get_resident_bytes(void)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;

    if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
        return 0;
    fields = g_strsplit(text, " ", 3);
    if (g_strv_length(fields) < 2)
        return 0;
    return g_ascii_strtoll(fields[1], NULL, 10) * sysconf(_SC_PAGESIZE);
}
