/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/identity.h"

#include <string.h>

#include "base/clock.h"

enum {
    HOLDS_MS = 10000,
    ENTRIES_MAX = 1024
};

/* The tenant that root's own instances belong to. */
static const char root_tenant[] = "default";

struct IdentityBook {
    Controller *controller;
    /* uid to Entry. */
    GHashTable *entries;
};

typedef struct {
    ProtoVmctlWhoAmIReply who;
    gint64 asked_boot_ms;
} Entry;

typedef struct {
    IdentityBook *book;
    uid_t uid;
    bool has_secret;
    IdentityFound found;
    gpointer data;
} Search;

static void
entry_free(gpointer data)
{
    Entry *entry = data;

    proto_vmctl_who_am_i_reply_clear(&entry->who);
    g_free(entry);
}

IdentityBook *
identity_book_new(Controller *controller)
{
    IdentityBook *book = g_new0(IdentityBook, 1);

    book->controller = controller;
    book->entries = g_hash_table_new_full(NULL, NULL, NULL, entry_free);
    return book;
}

void
identity_book_free(IdentityBook *book)
{
    if (book == NULL)
        return;
    g_hash_table_unref(book->entries);
    g_free(book);
}

static void
remember(IdentityBook *book, uid_t uid, const ProtoVmctlWhoAmIReply *who)
{
    Entry *entry = g_new0(Entry, 1);

    if (g_hash_table_size(book->entries) >= ENTRIES_MAX)
        g_hash_table_remove_all(book->entries);
    proto_vmctl_who_am_i_reply_copy(who, &entry->who);
    entry->asked_boot_ms = clock_boot_ms();
    g_hash_table_insert(book->entries, GUINT_TO_POINTER((guint) uid), entry);
}

static bool
is_away(const GError *error)
{
    return g_error_matches(error, PROTO_ERROR, PROTO_ERROR_HOST_UNREACHABLE) ||
           g_error_matches(error, PROTO_ERROR, PROTO_ERROR_DEADLINE);
}

static Identity
make_identity(uid_t uid, const ProtoVmctlWhoAmIReply *who)
{
    return (
        Identity){ uid, who->tenant, who->role, who->token, who->rights, who->n_rights };
}

static void
on_who(const ProtoVmctlWhoAmIReply *who, const GError *error, gpointer data)
{
    g_autofree Search *search = data;
    const Identity root = { .tenant = root_tenant, .role = ROLE_ADMIN };
    g_autoptr(GError) refusal = NULL;

    if (who != NULL) {
        const Identity identity = make_identity(search->uid, who);

        if (!search->has_secret)
            remember(search->book, search->uid, who);
        search->found(&identity, NULL, search->data);
        return;
    }
    if (!is_away(error)) {
        search->found(NULL, error, search->data);
        return;
    }
    if (search->uid == 0 && !search->has_secret) {
        search->found(&root, NULL, search->data);
        return;
    }
    proto_error_set_permission_denied(
        &refusal, ROLE_VIEWER,
        "vmd does not answer, so nobody can tell which tenant uid %u is: try again later",
        (guint) search->uid);
    search->found(NULL, refusal, search->data);
}

bool
identity_get_role(const Identity *identity, const char *tenant, Role *ret_role)
{
    if (*tenant == '\0')
        return false;
    if (strcmp(identity->tenant, tenant) == 0) {
        *ret_role = identity->role;
        return true;
    }
    for (gsize i = 0; i < identity->n_rights; i++) {
        if (strcmp(identity->rights[i].tenant, tenant) == 0) {
            *ret_role = identity->rights[i].role;
            return true;
        }
    }
    return false;
}

Identity *
identity_copy(const Identity *identity)
{
    Identity *copy = g_memdup2(identity, sizeof *identity);
    ProtoRight *rights = g_new0(ProtoRight, identity->n_rights);

    for (gsize i = 0; i < identity->n_rights; i++) {
        wire_struct_copy(&proto_right_type, &identity->rights[i], &rights[i]);
    }
    copy->tenant = g_strdup(identity->tenant);
    copy->token = g_strdup(identity->token);
    copy->rights = rights;
    return copy;
}

void
identity_free(Identity *identity)
{
    ProtoRight *rights = NULL;

    if (identity == NULL)
        return;
    rights = (ProtoRight *) (gsize) identity->rights;
    for (gsize i = 0; i < identity->n_rights; i++) {
        proto_right_clear(&rights[i]);
    }
    g_free(rights);
    g_free((char *) (gsize) identity->tenant);
    g_free((char *) (gsize) identity->token);
    g_free(identity);
}

void
identity_find(
    IdentityBook *book, uid_t uid, const char *secret, IdentityFound found, gpointer data)
{
    const Entry *entry =
        g_hash_table_lookup(book->entries, GUINT_TO_POINTER((guint) uid));
    Search *search = NULL;

    if (secret == NULL && entry != NULL &&
        clock_boot_ms() - entry->asked_boot_ms < HOLDS_MS) {
        const Identity identity = make_identity(uid, &entry->who);

        found(&identity, NULL, data);
        return;
    }
    search = g_new0(Search, 1);
    *search = (Search){ book, uid, secret != NULL, found, data };
    controller_ask_who(book->controller, uid, secret, on_who, search);
}
