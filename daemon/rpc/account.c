/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/account.h"

#include <gio/gio.h>
#include <grp.h>
#include <pwd.h>

enum {
    GROUPS_MAX = 256,
    ACCOUNT_BYTES = 65536
};

typedef struct {
    gid_t groups[GROUPS_MAX];
    WirePeer peer;
    AccountFound found;
    gpointer data;
} Lookup;

static void
look_up(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Lookup *lookup = data;
    g_autofree char *buffer = g_malloc(ACCOUNT_BYTES);
    struct passwd *account = NULL;
    struct passwd found;
    int n_groups = GROUPS_MAX;

    if (getpwuid_r(lookup->peer.uid, &found, buffer, ACCOUNT_BYTES, &account) == 0 &&
        account != NULL &&
        getgrouplist(account->pw_name, account->pw_gid, lookup->groups, &n_groups) >= 0) {
        lookup->peer.gid = account->pw_gid;
        lookup->peer.n_groups = (gsize) n_groups;
    }
    g_task_return_boolean(task, TRUE);
}

static void
on_found(GObject *source, GAsyncResult *result, gpointer data)
{
    const Lookup *lookup = g_task_get_task_data(G_TASK(result));

    lookup->found(&lookup->peer, lookup->data);
}

void
account_look_up(guint32 uid, AccountFound found, gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_found, NULL);
    Lookup *lookup = g_new0(Lookup, 1);

    *lookup = (Lookup){ .peer = { .uid = uid, .gid = (gid_t) -2 }, found, data };
    lookup->peer.groups = lookup->groups;
    g_task_set_task_data(task, lookup, g_free);
    g_task_run_in_thread(task, look_up);
}
