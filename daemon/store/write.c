/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/write.h"

#include <string.h>

#include "base/clock.h"

enum {
    SUM_LENGTH = 32
};

typedef enum {
    SQL_PUT_TENANT,
    SQL_PUT_TEMPLATE,
    SQL_PUT_INSTANCE,
    SQL_PUT_OPERATION,
    SQL_DELETE_TENANT,
    SQL_DELETE_TEMPLATE,
    SQL_DELETE_INSTANCE,
    SQL_DELETE_OPERATION,
    SQL_LOAD_TENANT,
    SQL_LOAD_TEMPLATE,
    SQL_LOAD_INSTANCE,
    SQL_LOAD_OPERATION,
    SQL_ADD_EVENT,
    SQL_ADD_LEDGER,
    SQL_READ_EVENTS,
    SQL_READ_LEDGER,
    SQL_READ_NEWEST,
    SQL_PUT_SERVICE_ID,
    SQL_READ_SERVICE_ID,
    SQL_CHECK,
    SQL_QUICK_CHECK,
    SQL_N,
} Sql;

#define PUT(table)                                                                       \
    "INSERT INTO " table " (key, body, sum, a, b) VALUES (?1, ?2, ?3, ?4, ?5)"           \
    " ON CONFLICT (key) DO UPDATE SET body = ?2, sum = ?3, a = ?4, b = ?5"
#define DELETE(table) "DELETE FROM " table " WHERE key = ?1"
#define LOAD(table) "SELECT key, body, sum FROM " table " ORDER BY rowid"

static const char *const texts[] = {
    [SQL_PUT_TENANT] = PUT("tenant"),
    [SQL_PUT_TEMPLATE] = PUT("template"),
    [SQL_PUT_INSTANCE] = PUT("instance"),
    [SQL_PUT_OPERATION] = PUT("operation"),
    [SQL_DELETE_TENANT] = DELETE("tenant"),
    [SQL_DELETE_TEMPLATE] = DELETE("template"),
    [SQL_DELETE_INSTANCE] = DELETE("instance"),
    [SQL_DELETE_OPERATION] = DELETE("operation"),
    [SQL_LOAD_TENANT] = LOAD("tenant"),
    [SQL_LOAD_TEMPLATE] = LOAD("template"),
    [SQL_LOAD_INSTANCE] = LOAD("instance"),
    [SQL_LOAD_OPERATION] = LOAD("operation"),
    [SQL_ADD_EVENT] = "INSERT INTO event (seq, body, sum) VALUES (?1, ?2, ?3)",
    [SQL_ADD_LEDGER] =
        ("INSERT INTO ledger (seq, kind, segment, tenant, instance, name, host, state,"
         " vcpus, memory_bytes, disk_bytes, generation, at_ms, boot_ms, boot_id, cause)"
         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, "
         "?16)"),
    [SQL_READ_EVENTS] =
        "SELECT seq, body, sum FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    [SQL_READ_LEDGER] =
        ("SELECT seq, kind, segment, tenant, instance, name, host, state, vcpus,"
         " memory_bytes, disk_bytes, generation, at_ms, boot_ms, boot_id, cause"
         " FROM ledger WHERE seq > ?1 ORDER BY seq LIMIT ?2"),
    [SQL_READ_NEWEST] =
        ("SELECT ifnull((SELECT max(seq) FROM event), 0),"
         " ifnull((SELECT at_ms FROM ledger ORDER BY seq DESC LIMIT 1), 0)"),
    [SQL_PUT_SERVICE_ID] =
        "INSERT OR IGNORE INTO setting (key, value) VALUES ('service_id', ?1)",
    [SQL_READ_SERVICE_ID] = "SELECT value FROM setting WHERE key = 'service_id'",
    [SQL_CHECK] = "SELECT integrity_check FROM pragma_integrity_check(20)"
                  " WHERE integrity_check <> 'ok'",
    [SQL_QUICK_CHECK] = "SELECT quick_check FROM pragma_quick_check(1)"
                        " WHERE quick_check <> 'ok'",
};

G_STATIC_ASSERT(G_N_ELEMENTS(texts) == SQL_N);
G_STATIC_ASSERT(SQL_DELETE_TENANT == (Sql) STORE_TABLES);
G_STATIC_ASSERT(SQL_LOAD_TENANT == (Sql) (2 * STORE_TABLES));

struct WriteSet {
    Statement *statements[SQL_N];
};

/** The texts and numbers that a statement is bound to. */
struct Write {
    Sql sql;
    char *key;
    char *a;
    char *b;
    char *body;
    ProtoLedgerRow row;
    gint64 at_ms;
};

WriteSet *
write_set_new(Database *database, GError **error)
{
    g_autoptr(WriteSet) set = g_new0(WriteSet, 1);

    for (int i = 0; i < SQL_N; i++) {
        set->statements[i] = database_prepare(database, texts[i], error);
        if (set->statements[i] == NULL)
            return NULL;
    }
    return g_steal_pointer(&set);
}

void
write_set_free(WriteSet *set)
{
    if (set == NULL)
        return;
    for (int i = 0; i < SQL_N; i++) {
        statement_free(set->statements[i]);
    }
    g_free(set);
}

static Write *
new_write(Sql sql, const char *key, char *body)
{
    Write *write = g_new0(Write, 1);

    write->sql = sql;
    write->key = g_strdup(key);
    write->body = body;
    return write;
}

Write *
write_new_put(StoreTable table, const char *key, const char *a, const char *b, char *body)
{
    Write *write = new_write((Sql) ((int) SQL_PUT_TENANT + (int) table), key, body);

    write->a = g_strdup(a);
    write->b = g_strdup(b);
    return write;
}

Write *
write_new_delete(StoreTable table, const char *key)
{
    return new_write((Sql) ((int) SQL_DELETE_TENANT + (int) table), key, NULL);
}

Write *
write_new_event(gint64 seq, char *body)
{
    g_autofree char *key = g_strdup_printf("%" G_GINT64_FORMAT, seq);

    return new_write(SQL_ADD_EVENT, key, body);
}

Write *
write_new_ledger(const ProtoLedgerRow *row, gint64 at_ms)
{
    Write *write = new_write(SQL_ADD_LEDGER, NULL, NULL);

    proto_ledger_row_copy(row, &write->row);
    write->at_ms = at_ms;
    return write;
}

void
write_free(Write *write)
{
    if (write == NULL)
        return;
    g_free(write->key);
    g_free(write->a);
    g_free(write->b);
    g_free(write->body);
    proto_ledger_row_clear(&write->row);
    g_free(write);
}

static void
bind_ledger(Statement *statement, const ProtoLedgerRow *row, gint64 at_ms)
{
    statement_bind_int(statement, 1, row->seq);
    statement_bind_int(statement, 2, row->kind);
    statement_bind_int(statement, 3, row->segment);
    statement_bind_text(statement, 4, row->tenant);
    statement_bind_text(statement, 5, row->instance);
    statement_bind_text(statement, 6, row->name);
    statement_bind_text(statement, 7, row->host);
    statement_bind_int(statement, 8, row->state);
    statement_bind_int(statement, 9, row->vcpus);
    statement_bind_int(statement, 10, row->memory_bytes);
    statement_bind_int(statement, 11, row->disk_bytes);
    statement_bind_int(statement, 12, row->generation);
    statement_bind_int(statement, 13, at_ms);
    statement_bind_int(statement, 14, row->boot_ms);
    statement_bind_text(statement, 15, row->boot_id);
    statement_bind_text(statement, 16, row->cause);
}

/* The sum of a row: of its key and body, the first half of their SHA-256. */
static char *
sum_row(const char *key, const char *body)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

    g_checksum_update(checksum, (const guchar *) key, (gssize) strlen(key) + 1);
    g_checksum_update(checksum, (const guchar *) body, (gssize) strlen(body));
    return g_strndup(g_checksum_get_string(checksum), SUM_LENGTH);
}

/* The body of a row of key, body and sum; NULL if the three do not go together. */
static const char *
get_body(Statement *statement, GError **error)
{
    const char *key = statement_get_text(statement, 0);
    const char *body = statement_get_text(statement, 1);
    g_autofree char *sum = key != NULL && body != NULL ? sum_row(key, body) : NULL;

    if (sum != NULL && g_strcmp0(sum, statement_get_text(statement, 2)) == 0)
        return body;
    proto_error_set_internal(error, "database", "The row %s of the database is damaged",
                             key);
    return NULL;
}

bool
write_run(WriteSet *set, const Write *write, GError **error)
{
    Statement *statement = set->statements[write->sql];

    if (write->sql == SQL_ADD_LEDGER) {
        bind_ledger(statement, &write->row, write->at_ms);
    } else {
        statement_bind_text(statement, 1, write->key);
    }
    if (write->body != NULL) {
        g_autofree char *sum = sum_row(write->key, write->body);

        statement_bind_text(statement, 2, write->body);
        statement_bind_text(statement, 3, sum);
    }
    if (write->sql < SQL_DELETE_TENANT) {
        statement_bind_text(statement, 4, write->a);
        statement_bind_text(statement, 5, write->b);
    }
    return statement_run(statement, error);
}

bool
write_parse_body(const WireStruct *type,
                 const char *body,
                 void *ret_value,
                 GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    JsonNode *root = NULL;

    if (!json_parser_load_from_data(parser, body, -1, error))
        return false;
    root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root)) {
        proto_error_set_internal(error, "database",
                                 "A row of the database is no JSON object");
        return false;
    }
    return wire_struct_parse(type, json_node_get_object(root), type->name,
                             WIRE_PARSE_LENIENT, ret_value, error);
}

GArray *
write_read_events(WriteSet *set, gint64 after, guint limit, GError **error)
{
    Statement *statement = set->statements[SQL_READ_EVENTS];
    g_autoptr(GArray) events = g_array_new(FALSE, TRUE, sizeof(ProtoEvent));
    bool row = true;
    bool good = true;

    g_array_set_clear_func(events, (GDestroyNotify) proto_event_clear);
    statement_bind_int(statement, 1, after);
    statement_bind_int(statement, 2, limit);
    while (good && (good = statement_step(statement, &row, error)) && row) {
        const char *body = get_body(statement, error);
        ProtoEvent event = { 0 };

        good = body != NULL && write_parse_body(&proto_event_type, body, &event, error);
        if (good)
            g_array_append_val(events, event);
    }
    statement_reset(statement);
    return good ? g_steal_pointer(&events) : NULL;
}

/* Words that are out of range would be an index out of range. */
static bool
read_ledger_row(Statement *statement, ProtoLedgerRow *ret_row, GError **error)
{
    gint64 kind = statement_get_int(statement, 1);
    gint64 state = statement_get_int(statement, 7);

    if (kind < 0 || kind >= LEDGER_KIND_N || state < 0 || state >= BILLING_STATE_N) {
        proto_error_set_internal(error, "database", "A row of the ledger is damaged");
        return false;
    }
    *ret_row = (ProtoLedgerRow){
        .seq = statement_get_int(statement, 0),
        .kind = (LedgerKind) kind,
        .segment = statement_get_int(statement, 2),
        .tenant = g_strdup(statement_get_text(statement, 3)),
        .instance = g_strdup(statement_get_text(statement, 4)),
        .name = g_strdup(statement_get_text(statement, 5)),
        .host = g_strdup(statement_get_text(statement, 6)),
        .state = (BillingState) state,
        .vcpus = statement_get_int(statement, 8),
        .memory_bytes = statement_get_int(statement, 9),
        .disk_bytes = statement_get_int(statement, 10),
        .generation = statement_get_int(statement, 11),
        .at = clock_format_time(statement_get_int(statement, 12)),
        .boot_ms = statement_get_int(statement, 13),
        .boot_id = g_strdup(statement_get_text(statement, 14)),
        .cause = g_strdup(statement_get_text(statement, 15)),
    };
    return true;
}

GArray *
write_read_ledger(WriteSet *set, gint64 after, guint limit, GError **error)
{
    Statement *statement = set->statements[SQL_READ_LEDGER];
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(ProtoLedgerRow));
    bool row = true;
    bool good = true;

    g_array_set_clear_func(rows, (GDestroyNotify) proto_ledger_row_clear);
    statement_bind_int(statement, 1, after);
    statement_bind_int(statement, 2, limit);
    while (good && (good = statement_step(statement, &row, error)) && row) {
        ProtoLedgerRow read = { 0 };

        good = read_ledger_row(statement, &read, error);
        if (good)
            g_array_append_val(rows, read);
    }
    statement_reset(statement);
    return good ? g_steal_pointer(&rows) : NULL;
}

static void
free_text(gpointer data)
{
    g_free(*(char **) data);
}

GArray *
write_check(WriteSet *set, GError **error)
{
    Statement *statement = set->statements[SQL_CHECK];
    g_autoptr(GArray) faults = g_array_new(FALSE, TRUE, sizeof(char *));
    bool row = true;
    bool good = true;

    g_array_set_clear_func(faults, free_text);
    while ((good = statement_step(statement, &row, error)) && row) {
        char *fault = g_strdup(statement_get_text(statement, 0));

        g_array_append_val(faults, fault);
    }
    statement_reset(statement);
    return good ? g_steal_pointer(&faults) : NULL;
}

bool
write_quick_check(WriteSet *set, GError **error)
{
    Statement *statement = set->statements[SQL_QUICK_CHECK];
    bool row = false;
    bool good = statement_step(statement, &row, error);

    if (good && row) {
        proto_error_set_internal(error, "database", "The database is damaged: %s",
                                 statement_get_text(statement, 0));
        good = false;
    }
    statement_reset(statement);
    return good;
}

bool
write_load(WriteSet *set,
           StoreTable table,
           bool (*func)(const char *body, gpointer data, GError **error),
           gpointer data,
           GError **error)
{
    Statement *statement = set->statements[(int) SQL_LOAD_TENANT + (int) table];
    bool row = true;
    bool good = true;

    while (good && (good = statement_step(statement, &row, error)) && row) {
        const char *body = get_body(statement, error);

        good = body != NULL && func(body, data, error);
    }
    statement_reset(statement);
    return good;
}

bool
write_load_service_id(WriteSet *set, char **ret_id, GError **error)
{
    Statement *statement = set->statements[SQL_READ_SERVICE_ID];
    g_autofree char *fresh = g_uuid_string_random();
    bool row = false;

    statement_bind_text(set->statements[SQL_PUT_SERVICE_ID], 1, fresh);
    if (!statement_run(set->statements[SQL_PUT_SERVICE_ID], error) ||
        !statement_step(statement, &row, error))
        return false;
    *ret_id = row ? g_strdup(statement_get_text(statement, 0)) : NULL;
    statement_reset(statement);
    if (*ret_id == NULL || !g_uuid_string_is_valid(*ret_id)) {
        proto_error_set_internal(error, "database", "The service id is damaged");
        return false;
    }
    return true;
}

bool
write_load_newest(WriteSet *set, gint64 *ret_seq, gint64 *ret_at_ms, GError **error)
{
    Statement *statement = set->statements[SQL_READ_NEWEST];
    bool row = false;

    if (!statement_step(statement, &row, error))
        return false;
    *ret_seq = statement_get_int(statement, 0);
    *ret_at_ms = statement_get_int(statement, 1);
    statement_reset(statement);
    return true;
}
