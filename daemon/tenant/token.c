/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenant/token.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "tenant/tenant-private.h"

enum {
    TOKENS_MAX = 256,
    SECRET_BYTES = 32,
    ID_LENGTH = 16
};

static const gint64 default_ms = G_GINT64_CONSTANT(30) * 86400000;
static const char prefix[] = "vmctl_";

/* "vmctl_ID_SECRET": the id says which hash it is held against. */
static char *
make_secret(const char *id)
{
    guint8 chance[SECRET_BYTES];
    GString *text = g_string_new(prefix);

    if (getrandom(chance, sizeof chance, 0) != (gssize) sizeof chance)
        g_error("There is no chance to be had for a token");
    g_string_append_printf(text, "%s_", id);
    for (gsize i = 0; i < sizeof chance; i++) {
        g_string_append_printf(text, "%02x", chance[i]);
    }
    explicit_bzero(chance, sizeof chance);
    return g_string_free(text, FALSE);
}

static char *
make_id(void)
{
    g_autofree char *uuid = g_uuid_string_random();
    GString *id = g_string_new(NULL);

    for (const char *p = uuid; id->len < ID_LENGTH; p++) {
        if (*p != '-')
            g_string_append_c(id, *p);
    }
    return g_string_free(id, FALSE);
}

static char *
hash(const char *secret)
{
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, secret, -1);
}

/* In the same time wherever they differ. */
static bool
is_same_hash(const char *a, const char *b)
{
    gsize length = strlen(a);
    int difference = 0;

    if (strlen(b) != length)
        return false;
    for (gsize i = 0; i < length; i++) {
        difference |= a[i] ^ b[i];
    }
    return difference == 0;
}

void
token_restore(ProtoTokenRecord *token)
{
    gint64 expires_ms = 0;

    if (strcmp(token->boot_id, clock_boot_id()) == 0)
        return;
    if (!clock_parse_time(token->view.expires_at, &expires_ms))
        expires_ms = 0;
    token->expires_boot_ms = clock_boot_ms() + (expires_ms - clock_wall_ms());
    g_free(token->boot_id);
    token->boot_id = g_strdup(clock_boot_id());
}

bool
token_has_expired(const ProtoTokenRecord *token)
{
    return clock_boot_ms() >= token->expires_boot_ms;
}

static ProtoTokenRecord *
find_of(const ProtoTenantRecord *record, const char *text)
{
    for (gsize i = 0; i < record->n_tokens; i++) {
        const ProtoToken *view = &record->tokens[i].view;

        if (strcmp(view->id, text) == 0 || strcmp(view->name, text) == 0)
            return &record->tokens[i];
    }
    return NULL;
}

const ProtoTokenRecord *
token_find(TenantBook *book, const char *id)
{
    const char *tenant = g_hash_table_lookup(book->tokens, id);
    const ProtoTenantRecord *record = tenant != NULL ? tenant_find(book, tenant) : NULL;
    const ProtoTokenRecord *token = record != NULL ? find_of(record, id) : NULL;

    if (token == NULL || tenant_get_state(record) == TENANT_STATE_REMOVED ||
        token_has_expired(token))
        return NULL;
    return token;
}

const ProtoTokenRecord *
token_find_secret(TenantBook *book, const char *secret)
{
    g_autofree char *id = NULL;
    g_autofree char *hashed = hash(secret);
    const ProtoTokenRecord *token = NULL;

    if (!g_str_has_prefix(secret, prefix) || strlen(secret) < strlen(prefix) + ID_LENGTH)
        return NULL;
    id = g_strndup(secret + strlen(prefix), ID_LENGTH);
    token = token_find(book, id);
    return token != NULL && is_same_hash(token->hash, hashed) ? token : NULL;
}

static void
put(TenantBook *book,
    StoreTx *tx,
    EventKind kind,
    ProtoTenantRecord *record,
    const ProtoToken *token,
    const Actor *actor)
{
    g_autofree char *detail =
        g_strdup_printf("%s %s: %s until %s", token->name, token->id,
                        member_role_to_string(token->role), token->expires_at);

    tenant_put_changed(book, tx, kind, record, detail, actor);
}

static ProtoTokenRecord *
add_token(TenantBook *book,
          ProtoTenantRecord *record,
          const ProtoTenantCreateTokenCall *in,
          const Actor *actor)
{
    gint64 lasts_ms = in->has_expires_in_ms ? in->expires_in_ms : default_ms;
    gint64 now_ms = clock_wall_ms();
    ProtoTokenRecord *token = NULL;

    record->tokens = g_renew(ProtoTokenRecord, record->tokens, record->n_tokens + 1);
    token = &record->tokens[record->n_tokens++];
    *token = (ProtoTokenRecord){
        .view = { .id = make_id(),
                  .name = g_strdup(in->name),
                  .tenant = g_strdup(record->name),
                  .role = in->role,
                  .uid = actor->uid,
                  .created_at = clock_format_time(now_ms),
                  .expires_at = clock_format_time(now_ms + lasts_ms) },
        .request_id = g_strdup(in->request_id),
        .expires_boot_ms = clock_boot_ms() + lasts_ms,
        .boot_id = g_strdup(clock_boot_id()),
    };
    g_hash_table_insert(book->tokens, g_strdup(token->view.id), record->name);
    return token;
}

static bool
check_new(const ProtoTenantRecord *record, const char *name, GError **error)
{
    if (find_of(record, name) != NULL) {
        proto_error_set_already_exists(error, "token", name,
                                       "There is a token \"%s\" already", name);
        return false;
    }
    if (record->n_tokens == TOKENS_MAX) {
        proto_error_set_too_large(error, "tokens", TOKENS_MAX,
                                  "A tenant has at most %d tokens: revoke those that "
                                  "have expired",
                                  TOKENS_MAX);
        return false;
    }
    return true;
}

const ProtoTokenRecord *
token_create(TenantBook *book,
             StoreTx *tx,
             const char *tenant,
             const ProtoTenantCreateTokenCall *in,
             const Actor *actor,
             char **ret_secret,
             GError **error)
{
    ProtoTenantRecord *record = tenant_get_row(book, tenant);
    ProtoTokenRecord *token = find_of(record, in->name);
    bool is_repeat = token != NULL && in->request_id != NULL &&
                     g_strcmp0(token->request_id, in->request_id) == 0 &&
                     token->view.uid == actor->uid && token->view.role == in->role;

    if (!is_repeat) {
        if (!check_new(record, in->name, error))
            return NULL;
        token = add_token(book, record, in, actor);
    }
    *ret_secret = make_secret(token->view.id);
    g_free(token->hash);
    token->hash = hash(*ret_secret);
    put(book, tx, EVENT_KIND_TOKEN_CREATED, record, &token->view, actor);
    return token;
}

ProtoToken *
token_revoke(TenantBook *book,
             StoreTx *tx,
             const char *tenant,
             const char *text,
             const Actor *actor)
{
    ProtoTenantRecord *record = tenant_get_row(book, tenant);
    ProtoTokenRecord *token = record != NULL ? find_of(record, text) : NULL;
    ProtoToken *view = NULL;

    if (token == NULL)
        return NULL;
    view = g_new0(ProtoToken, 1);
    proto_token_copy(&token->view, view);
    g_hash_table_remove(book->tokens, view->id);
    proto_token_record_clear(token);
    *token = record->tokens[--record->n_tokens];
    put(book, tx, EVENT_KIND_TOKEN_REVOKED, record, view, actor);
    return view;
}
