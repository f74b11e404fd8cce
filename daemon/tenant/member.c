/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/member.h"

#include <string.h>

#include "base/clock.h"
#include "model/role.h"
#include "tenant/tenant-private.h"

enum {
    MEMBERS_MAX = 256
};

static bool
is_of(const ProtoMember *member, const MemberIds *ids)
{
    if (member->kind == MEMBER_KIND_UID)
        return member->id == ids->uid;
    for (gsize i = 0; i < ids->n_gids; i++) {
        if (member->id == (gint64) ids->gids[i])
            return true;
    }
    return false;
}

static bool
find_role(const ProtoTenantRecord *record, const MemberIds *ids, Role *ret_role)
{
    bool found = false;
    Role role = ROLE_BILLING;

    for (gsize i = 0; i < record->n_members; i++) {
        if (!is_of(&record->members[i], ids))
            continue;
        found = true;
        role = role_max(role, role_of_member(record->members[i].role));
    }
    if (found)
        *ret_role = role;
    return found;
}

bool
member_get_role(TenantBook *book,
                const char *tenant,
                const MemberIds *ids,
                Role *ret_role)
{
    const ProtoTenantRecord *record = tenant_find(book, tenant);

    return record != NULL && tenant_get_state(record) != TENANT_STATE_REMOVED &&
           find_role(record, ids, ret_role);
}

GPtrArray *
member_list_tenants(TenantBook *book, const MemberIds *ids)
{
    GPtrArray *names = g_ptr_array_new();

    for (GList *item = book->with_members; item != NULL; item = item->next) {
        ProtoTenantRecord *record = item->data;
        Role role = ROLE_BILLING;

        if (tenant_get_state(record) != TENANT_STATE_REMOVED &&
            find_role(record, ids, &role))
            g_ptr_array_add(names, record->name);
    }
    return names;
}

static int
compare_records(gconstpointer a, gconstpointer b)
{
    const ProtoTenantRecord *first = a;
    const ProtoTenantRecord *second = b;

    return strcmp(first->name, second->name);
}

void
member_index(TenantBook *book, ProtoTenantRecord *record)
{
    book->with_members = g_list_remove(book->with_members, record);
    if (record->n_members > 0)
        book->with_members =
            g_list_insert_sorted(book->with_members, record, compare_records);
}

static ProtoMember *
find_member(const ProtoTenantRecord *record, MemberKind kind, gint64 id)
{
    for (gsize i = 0; i < record->n_members; i++) {
        if (record->members[i].kind == kind && record->members[i].id == id)
            return &record->members[i];
    }
    return NULL;
}

static void
put(TenantBook *book,
    StoreTx *tx,
    EventKind kind,
    ProtoTenantRecord *record,
    const ProtoMember *member,
    const Actor *actor)
{
    g_autofree char *detail = g_strdup_printf(
        "%s %" G_GINT64_FORMAT ": %s", member_kind_to_string(member->kind), member->id,
        member_role_to_string(member->role));

    member_index(book, record);
    tenant_put_changed(book, tx, kind, record, detail, actor);
}

bool
member_add(TenantBook *book,
           StoreTx *tx,
           const char *tenant,
           const ProtoTenantAddMemberCall *in,
           const Actor *actor,
           GError **error)
{
    ProtoTenantRecord *record = tenant_get_row(book, tenant);
    ProtoMember *member = find_member(record, in->kind, in->id);

    if (member != NULL && member->role == in->role)
        return true;
    if (member == NULL && record->n_members == MEMBERS_MAX) {
        proto_error_set_too_large(error, "members", MEMBERS_MAX,
                                  "A tenant has at most %d members", MEMBERS_MAX);
        return false;
    }
    if (member == NULL) {
        record->members = g_renew(ProtoMember, record->members, record->n_members + 1);
        member = &record->members[record->n_members++];
        *member = (ProtoMember){ .kind = in->kind,
                                 .id = in->id,
                                 .added_at = clock_format_time(clock_wall_ms()) };
    }
    member->role = in->role;
    put(book, tx, EVENT_KIND_MEMBER_ADDED, record, member, actor);
    return true;
}

void
member_remove(TenantBook *book,
              StoreTx *tx,
              const char *tenant,
              const ProtoTenantRemoveMemberCall *in,
              const Actor *actor)
{
    ProtoTenantRecord *record = tenant_get_row(book, tenant);
    ProtoMember *member = find_member(record, in->kind, in->id);
    ProtoMember gone = { 0 };

    if (member == NULL)
        return;
    gone = *member;
    *member = record->members[--record->n_members];
    put(book, tx, EVENT_KIND_MEMBER_REMOVED, record, &gone, actor);
    proto_member_clear(&gone);
}
