/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter/view-private.h"
#include "wire/pack.h"

enum {
    /* An entry of the books may be long. */
    MARKS_AT_ONCE = 16
};

struct ViewMarks {
    View *view;
    LedgerKind kind;
    char *topic;
    GArray *rows;
    guint at;
    gint64 at_seq;
    bool is_last;
};

ViewMarks *
view_marks_new(View *view, LedgerKind kind, const char *topic)
{
    ViewMarks *marks = g_new0(ViewMarks, 1);

    marks->view = view;
    marks->kind = kind;
    marks->topic = g_strdup(topic);
    marks->rows = g_array_new(FALSE, FALSE, sizeof(ProtoLedgerRow));
    g_array_set_clear_func(marks->rows, (GDestroyNotify) proto_ledger_row_clear);
    return marks;
}

void
view_marks_skip(ViewMarks *marks, gint64 seq)
{
    marks->at_seq = seq;
}

void
view_marks_free(ViewMarks *marks)
{
    if (marks == NULL)
        return;
    g_array_unref(marks->rows);
    g_free(marks->topic);
    g_free(marks);
}

static bool
take_mark(ViewMarks *marks, Statement *statement, GError **error)
{
    ProtoLedgerRow row = { 0 };
    gsize length = 0;
    gsize hash_length = 0;
    gsize used = 0;
    const guint8 *body = statement_get_blob(statement, 1, &length);
    const guint8 *hash = statement_get_blob(statement, 2, &hash_length);
    ChainHash copy;

    if (hash_length != sizeof copy.bytes) {
        proto_error_set_internal(error, "database", "meter.db has a damaged hash");
        return false;
    }
    if (!wire_struct_unpack(&proto_ledger_row_type, body, length, &used, &row, error))
        return false;
    memcpy(copy.bytes, hash, sizeof copy.bytes);
    row.hash = chain_to_text(&copy);
    marks->at_seq = row.seq;
    g_array_append_val(marks->rows, row);
    return true;
}

static bool
read_marks(ViewMarks *marks, GError **error)
{
    MeterStore *store = marks->view->store;
    Statement *statement =
        store->statements[marks->topic != NULL ? READ_TOPIC : READ_MARKS];
    bool has_row = true;
    bool good = true;

    if (!view_check(marks->view, error))
        return false;
    g_array_set_size(marks->rows, 0);
    marks->at = 0;
    statement_bind_int(statement, 1, marks->kind);
    statement_bind_int(statement, 2, marks->at_seq);
    statement_bind_int(statement, 3, marks->view->head.seq);
    statement_bind_int(statement, 4, MARKS_AT_ONCE);
    if (marks->topic != NULL)
        statement_bind_text(statement, 5, marks->topic);
    while (good && (good = statement_step(statement, &has_row, error)) && has_row) {
        good = take_mark(marks, statement, error);
    }
    statement_reset(statement);
    marks->is_last = marks->rows->len < MARKS_AT_ONCE;
    return good;
}

bool
view_marks_next(ViewMarks *marks, const ProtoLedgerRow **ret_row, GError **error)
{
    if (marks->at == marks->rows->len && !marks->is_last && !read_marks(marks, error))
        return false;
    *ret_row = NULL;
    if (marks->at < marks->rows->len)
        *ret_row = &g_array_index(marks->rows, ProtoLedgerRow, marks->at++);
    return true;
}
