/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "tenant/tenant-private.h"

void
tenant_add_event(StoreTx *tx,
                 EventKind kind,
                 const ProtoTenantRecord *record,
                 const char *detail,
                 const Actor *actor)
{
    ProtoEvent event = {
        .kind = kind,
        .tenant = g_strdup(record->name),
        .subject = g_strdup(record->name),
        .name = g_strdup(record->name),
        .state = g_strdup(tenant_state_to_string(tenant_get_state(record))),
        .detail = g_strdup(detail),
        .has_uid = true,
        .uid = actor->uid,
        .token = g_strdup(actor->token),
    };

    store_add_event(tx, &event);
}

void
tenant_put_changed(TenantBook *book,
                   StoreTx *tx,
                   EventKind kind,
                   ProtoTenantRecord *record,
                   const char *detail,
                   const Actor *actor)
{
    g_free(record->changed_at);
    record->changed_at = clock_format_time(clock_wall_ms());
    tenant_put(book, tx, record);
    tenant_add_event(tx, kind, record, detail, actor);
}

static bool
is_same_labels(char *const *a, char *const *b)
{
    static char *const none[] = { NULL };

    return g_strv_equal((const char *const *) (a != NULL ? a : none),
                        (const char *const *) (b != NULL ? b : none));
}

static WhenDisabled
get_when_disabled(const ProtoTenantRecord *record)
{
    return record->has_when_disabled ? record->when_disabled : WHEN_DISABLED_STOP;
}

static bool
is_as_asked(const ProtoTenantRecord *record, const ProtoTenantCreateCall *in)
{
    WhenDisabled asked = in->has_when_disabled ? in->when_disabled : WHEN_DISABLED_STOP;

    return tenant_get_state(record) == TENANT_STATE_ENABLED &&
           g_strcmp0(record->display_name, in->display_name) == 0 &&
           is_same_labels(record->labels, in->labels) &&
           get_when_disabled(record) == asked;
}

const ProtoTenantRecord *
tenant_create(TenantBook *book,
              StoreTx *tx,
              const ProtoTenantCreateCall *in,
              const Actor *actor,
              GError **error)
{
    ProtoTenantRecord *record = tenant_get_row(book, in->tenant);

    if (record != NULL && is_as_asked(record, in))
        return record;
    if (record != NULL || tenant_exists(book, in->tenant)) {
        bool removed = record != NULL && tenant_get_state(record) == TENANT_STATE_REMOVED;

        proto_error_set_already_exists(
            error, "tenant", in->tenant,
            removed ? "A tenant \"%s\" was removed: the books keep its name"
                    : "There is a tenant \"%s\" already",
            in->tenant);
        return NULL;
    }
    record = tenant_add_row(book, in->tenant);
    record->display_name = g_strdup(in->display_name);
    record->labels = g_strdupv(in->labels);
    record->has_when_disabled = in->has_when_disabled;
    record->when_disabled = in->when_disabled;
    tenant_put_changed(book, tx, EVENT_KIND_TENANT_CREATED, record, record->display_name,
                       actor);
    return record;
}

/* What was set, in words. */
static char *
describe_set(const ProtoTenantSetCall *in)
{
    GString *text = g_string_new(NULL);

    if (in->display_name != NULL)
        g_string_append_printf(text, "display_name=%s ", in->display_name);
    for (gsize i = 0; in->labels != NULL && in->labels[i] != NULL; i += 2) {
        g_string_append_printf(text, "%s=%s ", in->labels[i], in->labels[i + 1]);
    }
    if (in->has_when_disabled)
        g_string_append_printf(text, "when_disabled=%s ",
                               when_disabled_to_string(in->when_disabled));
    return g_strchomp(g_string_free(text, FALSE));
}

void
tenant_set(TenantBook *book,
           StoreTx *tx,
           const ProtoTenantSetCall *in,
           const Actor *actor)
{
    ProtoTenantRecord *record = tenant_get_row(book, in->tenant);
    g_autofree char *detail = describe_set(in);

    if (in->display_name == NULL && in->labels == NULL && !in->has_when_disabled)
        return;
    if (in->display_name != NULL)
        text_replace(&record->display_name, in->display_name);
    if (in->labels != NULL) {
        g_strfreev(record->labels);
        record->labels = g_strdupv(in->labels);
    }
    if (in->has_when_disabled) {
        record->has_when_disabled = true;
        record->when_disabled = in->when_disabled;
    }
    tenant_put_changed(book, tx, EVENT_KIND_TENANT_SET, record, detail, actor);
}

void
tenant_disable(TenantBook *book,
               StoreTx *tx,
               const char *name,
               const char *reason,
               const Actor *actor)
{
    ProtoTenantRecord *record = tenant_get_row(book, name);

    if (record->has_disabled_ms && g_strcmp0(record->reason, reason) == 0)
        return;
    if (!record->has_disabled_ms)
        record->disabled_ms = clock_wall_ms();
    record->has_disabled_ms = true;
    text_replace(&record->reason, reason);
    tenant_put_changed(book, tx, EVENT_KIND_TENANT_DISABLED, record, reason, actor);
}

void
tenant_enable(TenantBook *book, StoreTx *tx, const char *name, const Actor *actor)
{
    ProtoTenantRecord *record = tenant_get_row(book, name);

    if (!record->has_disabled_ms)
        return;
    record->has_disabled_ms = false;
    record->disabled_ms = 0;
    text_replace(&record->reason, NULL);
    tenant_put_changed(book, tx, EVENT_KIND_TENANT_ENABLED, record, NULL, actor);
}

void
tenant_remove(TenantBook *book, StoreTx *tx, const char *name, const Actor *actor)
{
    ProtoTenantRecord *record = tenant_get_row(book, name);

    if (record->removed_at != NULL)
        return;
    record->removed_at = clock_format_time(clock_wall_ms());
    tenant_put_changed(book, tx, EVENT_KIND_TENANT_REMOVED, record, NULL, actor);
}
