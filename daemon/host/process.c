/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/process.h"

#include <string.h>

#include "base/clock.h"

enum {
    STAT_START_FIELD = 22
};

static gint64
read_start_ticks(gint64 pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%" G_GINT64_FORMAT "/stat", pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;
    const char *after_name = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    /* The second field may hold anything, but ends with the last bracket. */
    after_name = strrchr(text, ')');
    if (after_name == NULL)
        return 0;
    fields = g_strsplit(after_name + 2, " ", 0);
    return g_strv_length(fields) > STAT_START_FIELD - 3
               ? g_ascii_strtoll(fields[STAT_START_FIELD - 3], NULL, 10)
               : 0;
}

/* A domain of the machine's libvirt, or of the user's own. */
static char *
read_pid_file(const char *name)
{
    const char *const folders[] = { "/run", g_get_user_runtime_dir() };
    const char *const below[] = { "libvirt/qemu", "libvirt/qemu/run" };
    g_autofree char *file = g_strconcat(name, ".pid", NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *path = g_build_filename(folders[i], below[i], file, NULL);
        char *text = NULL;

        if (g_file_get_contents(path, &text, NULL, NULL))
            return text;
    }
    return NULL;
}

ProtoEpoch *
process_read_epoch(const char *name)
{
    g_autofree char *text = read_pid_file(name);
    ProtoEpoch *epoch = NULL;
    gint64 pid = text != NULL ? g_ascii_strtoll(text, NULL, 10) : 0;
    gint64 pid_start = pid > 0 ? read_start_ticks(pid) : 0;

    if (pid_start == 0)
        return NULL;
    epoch = g_new0(ProtoEpoch, 1);
    *epoch = (ProtoEpoch){ g_strdup(clock_boot_id()), pid, pid_start };
    return epoch;
}

gint64
process_get_start_ms(const ProtoEpoch *epoch)
{
    return (epoch->pid_start + 1) * CLOCK_TICK_MS;
}
