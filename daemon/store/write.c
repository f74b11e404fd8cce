/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/write.h"

#include <string.h>

#include "wire/pack.h"

enum {
    SUM_LENGTH = 32
};

typedef enum {
    SQL_PUT_TENANT,
    SQL_PUT_TEMPLATE,
    SQL_PUT_INSTANCE,
    SQL_PUT_OPERATION,
    SQL_PUT_COUNTER,
    SQL_PUT_HOST,
    SQL_PUT_GROUP,
    SQL_DELETE_TENANT,
    SQL_DELETE_TEMPLATE,
    SQL_DELETE_INSTANCE,
    SQL_DELETE_OPERATION,
    SQL_DELETE_COUNTER,
    SQL_DELETE_HOST,
    SQL_DELETE_GROUP,
    SQL_LOAD_TENANT,
    SQL_LOAD_TEMPLATE,
    SQL_LOAD_INSTANCE,
    SQL_LOAD_OPERATION,
    SQL_LOAD_COUNTER,
    SQL_LOAD_HOST,
    SQL_LOAD_GROUP,
    SQL_ADD_EVENT,
    SQL_READ_EVENTS,
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
    [SQL_PUT_COUNTER] = PUT("counter"),
    [SQL_PUT_HOST] = PUT("host"),
    [SQL_PUT_GROUP] = PUT("instance_group"),
    [SQL_DELETE_TENANT] = DELETE("tenant"),
    [SQL_DELETE_TEMPLATE] = DELETE("template"),
    [SQL_DELETE_INSTANCE] = DELETE("instance"),
    [SQL_DELETE_OPERATION] = DELETE("operation"),
    [SQL_DELETE_COUNTER] = DELETE("counter"),
    [SQL_DELETE_HOST] = DELETE("host"),
    [SQL_DELETE_GROUP] = DELETE("instance_group"),
    [SQL_LOAD_TENANT] = LOAD("tenant"),
    [SQL_LOAD_TEMPLATE] = LOAD("template"),
    [SQL_LOAD_INSTANCE] = LOAD("instance"),
    [SQL_LOAD_OPERATION] = LOAD("operation"),
    [SQL_LOAD_COUNTER] = LOAD("counter"),
    [SQL_LOAD_HOST] = LOAD("host"),
    [SQL_LOAD_GROUP] = LOAD("instance_group"),
    [SQL_ADD_EVENT] = "INSERT INTO event (seq, body, sum) VALUES (?1, ?2, ?3)",
    [SQL_READ_EVENTS] =
        "SELECT seq, body, sum FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    [SQL_READ_NEWEST] = "SELECT ifnull(max(seq), 0) FROM event",
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
    GByteArray *packed;
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
write_new_put_packed(StoreTable table, const char *key, GByteArray *packed)
{
    Write *write = new_write((Sql) ((int) SQL_PUT_TENANT + (int) table), key, NULL);

    write->packed = packed;
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

void
write_free(Write *write)
{
    if (write == NULL)
        return;
    g_free(write->key);
    g_free(write->a);
    g_free(write->b);
    g_free(write->body);
    g_clear_pointer(&write->packed, g_byte_array_unref);
    g_free(write);
}

/* The sum of a row: of its key and body, the first half of their SHA-256. */
static char *
sum_row(const char *key, const guint8 *body, gsize length)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

    g_checksum_update(checksum, (const guchar *) key, (gssize) strlen(key) + 1);
    g_checksum_update(checksum, body, (gssize) length);
    return g_strndup(g_checksum_get_string(checksum), SUM_LENGTH);
}

/* The body of a row of key, body and sum; NULL if the three do not go together. */
static const guint8 *
get_body(Statement *statement, gsize *ret_length, GError **error)
{
    const char *key = statement_get_text(statement, 0);
    const guint8 *body = statement_get_blob(statement, 1, ret_length);
    g_autofree char *sum =
        key != NULL && body != NULL ? sum_row(key, body, *ret_length) : NULL;

    if (sum != NULL && g_strcmp0(sum, statement_get_text(statement, 2)) == 0)
        return body;
    proto_error_set_internal(error, "database", "The row %s of the database is damaged",
                             key);
    return NULL;
}

static void
bind_body(Statement *statement, const Write *write)
{
    bool is_packed = write->packed != NULL;
    const guint8 *data = is_packed ? write->packed->data : (const guint8 *) write->body;
    gsize length = is_packed ? write->packed->len : strlen(write->body);
    g_autofree char *sum = sum_row(write->key, data, length);

    if (is_packed) {
        statement_bind_blob(statement, 2, data, length);
    } else {
        statement_bind_text(statement, 2, write->body);
    }
    statement_bind_text(statement, 3, sum);
}

bool
write_run(WriteSet *set, const Write *write, GError **error)
{
    Statement *statement = set->statements[write->sql];

    statement_bind_text(statement, 1, write->key);
    if (write->body != NULL || write->packed != NULL)
        bind_body(statement, write);
    if (write->sql < SQL_DELETE_TENANT) {
        statement_bind_text(statement, 4, write->a);
        statement_bind_text(statement, 5, write->b);
    }
    return statement_run(statement, error);
}

static bool
parse_json(const WireStruct *type,
           const guint8 *body,
           gsize length,
           void *ret_value,
           GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    JsonNode *root = NULL;

    if (!json_parser_load_from_data(parser, (const char *) body, (gssize) length, error))
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
        gsize length = 0;
        const guint8 *body = get_body(statement, &length, error);
        ProtoEvent event = { 0 };

        good = body != NULL && parse_json(&proto_event_type, body, length, &event, error);
        if (good)
            g_array_append_val(events, event);
    }
    statement_reset(statement);
    return good ? g_steal_pointer(&events) : NULL;
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

static gpointer
read_record(Statement *statement, const WireStruct *type, bool is_packed, GError **error)
{
    g_autofree gpointer record = g_malloc0(type->size);
    gsize length = 0;
    gsize used = 0;
    const guint8 *body = get_body(statement, &length, error);
    bool good = body != NULL &&
                (is_packed ? wire_struct_unpack(type, body, length, &used, record, error)
                           : parse_json(type, body, length, record, error));

    return good ? g_steal_pointer(&record) : NULL;
}

bool
write_load(WriteSet *set,
           StoreTable table,
           const WireStruct *type,
           void (*func)(gpointer record, gpointer data),
           gpointer data,
           GError **error)
{
    Statement *statement = set->statements[(int) SQL_LOAD_TENANT + (int) table];
    bool row = true;
    bool good = true;

    while (good && (good = statement_step(statement, &row, error)) && row) {
        gpointer record = read_record(statement, type, table == STORE_COUNTER, error);

        good = record != NULL;
        if (good)
            func(record, data);
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
write_load_newest(WriteSet *set, gint64 *ret_seq, GError **error)
{
    Statement *statement = set->statements[SQL_READ_NEWEST];
    bool row = false;

    if (!statement_step(statement, &row, error))
        return false;
    *ret_seq = statement_get_int(statement, 0);
    statement_reset(statement);
    return true;
}
