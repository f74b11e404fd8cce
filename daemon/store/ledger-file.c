/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/ledger-file.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "store/ledger-check.h"
#include "wire/guard.h"
#include "wire/pack.h"

struct LedgerFile {
    JsonParser *parser;
    /* NULL before the first line. */
    LedgerCheck *check;
    /* What the first line says of the last one. */
    gint64 last_seq;
    char *last_hash;
    bool is_known;
    LedgerFileHead known;
    /* Whether the row that is known was there, with its hash. */
    bool has_known;
    bool is_faulty;
    GArray *faults;
    GArray *breaks;
    ProtoBillingVerifyReply reply;
};

LedgerFile *
ledger_file_new(const LedgerFileHead *known)
{
    LedgerFile *file = g_new0(LedgerFile, 1);

    file->parser = json_parser_new_immutable();
    file->is_known = known != NULL;
    if (known != NULL)
        file->known = *known;
    file->faults = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerFault));
    file->breaks = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerBreak));
    g_array_set_clear_func(file->faults, (GDestroyNotify) proto_ledger_fault_clear);
    g_array_set_clear_func(file->breaks, (GDestroyNotify) proto_ledger_break_clear);
    return file;
}

void
ledger_file_free(LedgerFile *file)
{
    if (file == NULL)
        return;
    g_object_unref(file->parser);
    ledger_check_free(file->check);
    g_array_unref(file->faults);
    g_array_unref(file->breaks);
    g_free(file->reply.hash);
    g_free(file->last_hash);
    g_free(file);
}

/* Only the first fault is kept. */
static bool
fail(LedgerFile *file, gint64 row, const char *text)
{
    const ProtoLedgerFault fault = { .row = row, .text = g_strdup(text) };

    if (!file->is_faulty) {
        g_array_append_val(file->faults, fault);
    } else {
        g_free(fault.text);
    }
    file->is_faulty = true;
    return false;
}

static bool G_GNUC_PRINTF(3, 4)
    fail_with(LedgerFile *file, gint64 row, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return fail(file, row, text);
}

static void
on_blame(
    gint64 seq, const char *resource, const char *name, const char *text, gpointer data)
{
    fail(data, seq, text);
}

/* Lines */

static JsonObject *
parse(LedgerFile *file, const char *line, gsize length)
{
    const WireLimits limits = WIRE_LIMITS_PEER;

    if (!guard_check(line, length, &limits, NULL) ||
        !json_parser_load_from_data(file->parser, line, (gssize) length, NULL))
        return NULL;
    return json_node_get_object(json_parser_get_root(file->parser));
}

static JsonNode *
find(JsonObject *object, const char *name, GType type)
{
    JsonNode *node = json_object_get_member(object, name);

    return node != NULL && JSON_NODE_HOLDS_VALUE(node) &&
                   json_node_get_value_type(node) == type
               ? node
               : NULL;
}

/* NULL if it is no text. */
static const char *
get_text(JsonObject *object, const char *name)
{
    JsonNode *node = find(object, name, G_TYPE_STRING);

    return node != NULL ? json_node_get_string(node) : NULL;
}

/* 0 if it is no number. */
static gint64
get_number(JsonObject *object, const char *name)
{
    JsonNode *node = find(object, name, G_TYPE_INT64);

    return node != NULL ? json_node_get_int(node) : 0;
}

static bool
holds(const ChainHash *hash, const char *text)
{
    ChainHash said;

    return text != NULL && chain_from_text(text, &said) && chain_is_equal(hash, &said);
}

static void
look_for_known(LedgerFile *file)
{
    ChainHash hash = ledger_check_get_hash(file->check);

    if (file->is_known && ledger_check_get_seq(file->check) == file->known.seq)
        file->has_known = chain_is_equal(&hash, &file->known.hash);
}

static bool
take_head(LedgerFile *file, JsonObject *object)
{
    const char *service_id = object != NULL ? get_text(object, "service_id") : NULL;
    const char *hash = object != NULL ? get_text(object, "hash") : NULL;

    if (service_id == NULL || hash == NULL || find(object, "seq", G_TYPE_INT64) == NULL)
        return fail(file, 0, "The first line does not say which ledger it is of");
    file->check = ledger_check_new(service_id, on_blame, file);
    file->last_seq = get_number(object, "seq");
    file->last_hash = g_strdup(hash);
    look_for_known(file);
    return true;
}

/* Rows */

static void
add_break(LedgerFile *file, const ProtoLedgerRow *row)
{
    const ProtoLedgerBreak found = { row->seq, ledger_check_describe_break(row) };

    if (found.text != NULL)
        g_array_append_val(file->breaks, found);
}

static bool
check_next(LedgerFile *file, gint64 seq, const ChainHash *leaf, JsonObject *object)
{
    ChainHash before = ledger_check_get_hash(file->check);
    ChainHash hash = chain_next(&before, leaf);

    return holds(&hash, get_text(object, "hash")) ||
           fail(file, seq, "has not the hash of what it and the rows before it say");
}

static bool
take_row(
    LedgerFile *file, gint64 seq, const guint8 *packed, gsize length, JsonObject *object)
{
    ChainHash leaf = chain_leaf(packed, length);
    g_auto(ProtoLedgerRow) row = { 0 };
    gsize used = 0;

    if (!wire_struct_unpack(&proto_ledger_row_type, packed, length, &used, &row, NULL))
        return fail(file, seq, "cannot be read");
    if (used != length)
        return fail(file, seq, "has bytes too many");
    if (!check_next(file, seq, &leaf, object))
        return false;
    if (row.seq != seq)
        return fail_with(file, seq, "says that it is row %" G_GINT64_FORMAT, row.seq);
    ledger_check_take(file->check, &row, packed, length, NULL);
    add_break(file, &row);
    return !file->is_faulty;
}

static bool
take_whole(LedgerFile *file, gint64 seq, JsonObject *object)
{
    const char *text = get_text(object, "row");
    gsize length = 0;
    g_autofree guint8 *packed = text != NULL ? g_base64_decode(text, &length) : NULL;
    g_autofree char *again = g_base64_encode(packed, length);

    if (json_object_has_member(object, "leaf"))
        return fail(file, seq, "is there both whole and as a leaf");
    /* A row has one form. */
    if (g_strcmp0(again, text) != 0)
        return fail(file, seq, "is not written as it should be");
    return take_row(file, seq, packed, length, object);
}

static bool
take_leaf(LedgerFile *file, gint64 seq, JsonObject *object)
{
    const char *text = get_text(object, "leaf");
    ChainHash leaf;

    if (text == NULL || !chain_from_text(text, &leaf))
        return fail(file, seq, "has neither itself nor a leaf");
    if (!check_next(file, seq, &leaf, object))
        return false;
    ledger_check_pass(file->check, &leaf);
    return true;
}

static bool
take_line(LedgerFile *file, JsonObject *object)
{
    gint64 seq = ledger_check_get_seq(file->check) + 1;
    bool good = false;

    if (object == NULL)
        return fail(file, seq, "cannot be read");
    if (get_number(object, "seq") != seq)
        return fail_with(file, seq, "follows row %" G_GINT64_FORMAT, seq - 1);
    good = json_object_has_member(object, "row") ? take_whole(file, seq, object)
                                                 : take_leaf(file, seq, object);
    look_for_known(file);
    return good;
}

bool
ledger_file_take(LedgerFile *file, const char *line, gsize length)
{
    JsonObject *object = NULL;

    if (file->is_faulty)
        return false;
    object = parse(file, line, length);
    return file->check == NULL ? take_head(file, object) : take_line(file, object);
}

/* The end */

static void
check_end(LedgerFile *file)
{
    ChainHash hash = ledger_check_get_hash(file->check);
    gint64 seq = ledger_check_get_seq(file->check);
    g_autofree char *is = chain_to_text(&hash);
    g_autofree char *known = chain_to_text(&file->known.hash);

    if (seq != file->last_seq || !holds(&hash, file->last_hash))
        fail_with(file, seq,
                  "%sis the last, with the hash %s; the file says row %" G_GINT64_FORMAT
                  " with %s",
                  seq == 0 ? "Row 0 " : "", is, file->last_seq, file->last_hash);
    if (file->is_known && !file->has_known)
        fail_with(file, file->known.seq, "is not there, or has not the hash %s", known);
}

const ProtoBillingVerifyReply *
ledger_file_end(LedgerFile *file)
{
    ChainHash hash;

    if (file->check == NULL)
        take_head(file, NULL);
    if (file->check != NULL && !file->is_faulty)
        check_end(file);
    if (file->check != NULL) {
        hash = ledger_check_get_hash(file->check);
        file->reply.checked = ledger_check_get_seq(file->check);
    } else {
        hash = chain_begin("");
    }
    g_free(file->reply.hash);
    file->reply.hash = chain_to_text(&hash);
    file->reply.rows = file->last_seq;
    file->reply.faults = (ProtoLedgerFault *) (gpointer) file->faults->data;
    file->reply.n_faults = file->faults->len;
    file->reply.breaks = (ProtoLedgerBreak *) (gpointer) file->breaks->data;
    file->reply.n_breaks = file->breaks->len;
    return &file->reply;
}
