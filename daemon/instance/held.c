/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/held.h"

/* To both sums, that of its tenant and that of its host, if that is there. */
static void
add(Instance *instance, gint64 times)
{
    BookTenant *tenant =
        instance_book_get_tenant(instance->book, instance->record.view.tenant);

    quota_add_times(&tenant->held, &instance->held, times);
    if (instance->held_on != NULL)
        quota_add_times(&instance->held_on->held, &instance->held, times);
}

void
held_follow(Instance *instance)
{
    const ProtoSize size = instance_get_held_size(instance);
    Quota held = { 0 };

    quota_add(&held, &size, 1);
    held_forget(instance);
    instance->held = held;
    instance->held_on =
        instance_book_get_host(instance->book, instance->record.view.host);
    add(instance, 1);
}

void
held_forget(Instance *instance)
{
    add(instance, -1);
    instance->held = (Quota){ 0 };
}

Quota
held_get_of_tenant(InstanceBook *book, const char *tenant)
{
    const BookTenant *found = instance_book_get_tenant(book, tenant);

    return found != NULL ? found->held : (Quota){ 0 };
}

Quota
held_get_on_host(InstanceBook *book, const char *host)
{
    const BookHost *found = instance_book_get_host(book, host);

    return found != NULL ? found->held : (Quota){ 0 };
}
