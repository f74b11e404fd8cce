/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/report/format.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/refuse.h"

static const char label_prefix[] = "label:";

static const struct {
    const char *word;
    ReportGroup group;
} groups_by_name[] = {
    { "tenant", REPORT_BY_TENANT },
    { "instance", REPORT_BY_INSTANCE },
    { "meter", REPORT_BY_METER },
    { "day", REPORT_BY_DAY },
};

static bool
read_group(const char *word, guint *groups, char **label)
{
    for (gsize i = 0; i < G_N_ELEMENTS(groups_by_name); i++) {
        if (strcmp(word, groups_by_name[i].word) == 0) {
            *groups |= groups_by_name[i].group;
            return true;
        }
    }
    if (!g_str_has_prefix(word, label_prefix) || word[strlen(label_prefix)] == '\0' ||
        *label != NULL)
        return false;
    *label = g_strdup(word + strlen(label_prefix));
    return true;
}

bool
report_read_groups(const char *text, guint *ret_groups, char **ret_label, GError **error)
{
    g_auto(GStrv) words =
        g_strsplit(text != NULL ? text : "tenant,instance,meter", ",", -1);
    g_autofree char *label = NULL;
    guint groups = 0;

    for (gsize i = 0; words[i] != NULL || i == 0; i++) {
        if (words[i] == NULL || !read_group(words[i], &groups, &label))
            return refuse_parameter(error, "parameters.group_by",
                                    "\"%s\" is none of tenant, instance, meter, day and "
                                    "one label:KEY",
                                    words[i] != NULL ? words[i] : "");
    }
    *ret_groups = groups;
    *ret_label = g_steal_pointer(&label);
    return true;
}

/* Putting lines together */

struct ReportFold {
    guint groups;
    char *label;
    GArray *rows;
    /* Key to number of row + 1. */
    GHashTable *index;
    GStringChunk *texts;
    GString *key;
    /* The row that the line before went into, 0 if none did, and that line: of one tenant
     * texts that are the same have the same address. */
    guint last_row;
    GString *last_tenant;
    BillLine last;
};

ReportFold *
report_fold_new(guint groups, const char *label)
{
    ReportFold *fold = g_new0(ReportFold, 1);

    fold->groups = groups;
    fold->label = g_strdup(label);
    fold->rows = g_array_new(FALSE, FALSE, sizeof(ReportRow));
    fold->index = g_hash_table_new(g_str_hash, g_str_equal);
    fold->texts = g_string_chunk_new(4096);
    fold->key = g_string_new(NULL);
    fold->last_tenant = g_string_new(NULL);
    return fold;
}

void
report_fold_free(ReportFold *fold)
{
    if (fold == NULL)
        return;
    g_free(fold->label);
    g_array_unref(fold->rows);
    g_hash_table_unref(fold->index);
    g_string_chunk_free(fold->texts);
    g_string_free(fold->key, TRUE);
    g_string_free(fold->last_tenant, TRUE);
    g_free(fold);
}

const GArray *
report_fold_get_rows(const ReportFold *fold)
{
    return fold->rows;
}

void
report_fold_clear(ReportFold *fold)
{
    g_hash_table_remove_all(fold->index);
    g_array_set_size(fold->rows, 0);
    g_string_chunk_clear(fold->texts);
    fold->last_row = 0;
}

static char *
find_label(const char *labels, const char *key)
{
    g_autoptr(JsonNode) node = labels != NULL ? json_from_string(labels, NULL) : NULL;
    JsonObject *object = NULL;

    if (node == NULL || !JSON_NODE_HOLDS_OBJECT(node))
        return NULL;
    object = json_node_get_object(node);
    if (!json_object_has_member(object, key))
        return NULL;
    return json_node_dup_string(json_object_get_member(object, key));
}

static void
add_to_key(ReportFold *fold, const char *text)
{
    g_string_append(fold->key, text != NULL ? text : "");
    g_string_append_c(fold->key, '\n');
}

static void
add_price_to_key(ReportFold *fold, const BillLine *line)
{
    char text[DECIMAL_TEXT_SIZE];

    if (line->category == BILL_CATEGORY_ADJUSTMENT)
        return;
    add_to_key(fold, line->sku_price);
    decimal_print(line->list_price, 0, text);
    add_to_key(fold, text);
    decimal_print(line->contracted_price, 0, text);
    add_to_key(fold, text);
}

static void
make_key(ReportFold *fold, const BillLine *line, const char *label)
{
    g_string_truncate(fold->key, 0);
    g_string_append_printf(fold->key, "%d%d%s\n", line->category, line->is_correction,
                           line->quantity.value < 0 ? "-" : "");
    add_to_key(fold, line->currency);
    add_to_key(fold, label);
    if ((fold->groups & REPORT_BY_TENANT) != 0)
        add_to_key(fold, line->tenant);
    if ((fold->groups & REPORT_BY_INSTANCE) != 0) {
        add_to_key(fold, line->resource);
        add_to_key(fold, line->resource_name);
    }
    if ((fold->groups & REPORT_BY_METER) != 0)
        add_price_to_key(fold, line);
    if ((fold->groups & REPORT_BY_DAY) != 0)
        g_string_append_printf(fold->key, "%" G_GINT64_FORMAT,
                               calendar_day_of(line->from_ms));
}

static const char *
keep(ReportFold *fold, const char *text, guint groups)
{
    bool is_kept = text != NULL && (groups == 0 || (fold->groups & groups) != 0);

    return is_kept ? g_string_chunk_insert_const(fold->texts, text) : NULL;
}

static void
begin_row(ReportFold *fold, const BillLine *line, const char *label)
{
    ReportRow row = { .line = *line };

    row.has_meter =
        (fold->groups & REPORT_BY_METER) != 0 && line->category == BILL_CATEGORY_USAGE;
    row.label = keep(fold, label, 0);
    row.line.tenant = keep(fold, line->tenant, REPORT_BY_TENANT);
    row.line.tenant_name = row.line.tenant;
    row.line.resource = keep(fold, line->resource, REPORT_BY_INSTANCE);
    row.line.resource_name = keep(fold, line->resource_name, REPORT_BY_INSTANCE);
    row.line.labels = NULL;
    row.line.host = NULL;
    row.line.sku = keep(fold, line->sku, REPORT_BY_METER);
    row.line.sku_price = keep(fold, line->sku_price, REPORT_BY_METER);
    row.line.currency = keep(fold, line->currency, 0);
    row.line.period = keep(fold, line->period, 0);
    row.line.invoice = keep(fold, line->invoice, REPORT_BY_TENANT);
    row.line.why = keep(fold, line->why, REPORT_BY_INSTANCE);
    g_array_append_val(fold->rows, row);
    g_hash_table_insert(fold->index, g_string_chunk_insert(fold->texts, fold->key->str),
                        GUINT_TO_POINTER(fold->rows->len));
}

static bool
add_to_row(ReportRow *row, const BillLine *more, GError **error)
{
    BillLine *line = &row->line;

    line->from_ms = MIN(line->from_ms, more->from_ms);
    line->to_ms = MAX(line->to_ms, more->to_ms);
    line->first_seq = MIN(line->first_seq, more->first_seq);
    line->last_seq = MAX(line->last_seq, more->last_seq);
    if (row->has_meter &&
        (!decimal_add(line->quantity, more->quantity, &line->quantity, error) ||
         !decimal_add(line->estimated, more->estimated, &line->estimated, error)))
        return false;
    return decimal_add(line->list_cost, more->list_cost, &line->list_cost, error) &&
           decimal_add(line->contracted_cost, more->contracted_cost,
                       &line->contracted_cost, error);
}

static bool
is_same_price(const BillLine *a, const BillLine *b)
{
    return a->sku_price == b->sku_price && a->list_price.value == b->list_price.value &&
           a->contracted_price.value == b->contracted_price.value;
}

/* Lines of one sku come one day after the other: most go where the one before went. */
static bool
is_like_last(const ReportFold *fold, const BillLine *line)
{
    const BillLine *last = &fold->last;

    return fold->last_row != 0 && !line->is_correction &&
           line->category == BILL_CATEGORY_USAGE &&
           strcmp(line->tenant, fold->last_tenant->str) == 0 &&
           line->resource == last->resource &&
           line->resource_name == last->resource_name && line->labels == last->labels &&
           line->currency == last->currency && is_same_price(line, last) &&
           ((fold->groups & REPORT_BY_DAY) == 0 ||
            calendar_day_of(line->from_ms) == calendar_day_of(last->from_ms));
}

/* What is corrected has texts of its own, which do not last. */
static void
remember(ReportFold *fold, const BillLine *line, guint row)
{
    bool is_lasting = !line->is_correction && line->category == BILL_CATEGORY_USAGE;

    fold->last_row = is_lasting ? row : 0;
    fold->last = *line;
    g_string_assign(fold->last_tenant, line->tenant);
}

static bool
add_elsewhere(ReportFold *fold, const BillLine *line, GError **error)
{
    g_autofree char *label =
        fold->label != NULL ? find_label(line->labels, fold->label) : NULL;
    guint number = 0;

    make_key(fold, line, label);
    number = GPOINTER_TO_UINT(g_hash_table_lookup(fold->index, fold->key->str));
    if (number == 0) {
        begin_row(fold, line, label);
        remember(fold, line, fold->rows->len);
        return true;
    }
    remember(fold, line, number);
    return add_to_row(&g_array_index(fold->rows, ReportRow, number - 1), line, error);
}

bool
report_fold_add(ReportFold *fold, const BillLine *line, GError **error)
{
    if (is_like_last(fold, line))
        return add_to_row(&g_array_index(fold->rows, ReportRow, fold->last_row - 1), line,
                          error);
    return add_elsewhere(fold, line, error);
}

bool
report_fold_line(const ReportContext *context,
                 ReportFold *fold,
                 const BillLine *line,
                 GString *out,
                 GError **error)
{
    return report_fold_add(fold, line, error);
}

/* Texts */

void
report_append_time(GString *out, gint64 at_ms)
{
    g_autofree char *text = clock_format_time(at_ms);
    char *fraction = strstr(text, ".000Z");

    if (fraction != NULL)
        memcpy(fraction, "Z", sizeof "Z");
    g_string_append(out, text);
}

void
report_append_decimal(GString *out, Decimal value, int least_places)
{
    char text[DECIMAL_TEXT_SIZE];

    g_string_append_len(out, text, (gssize) decimal_print(value, least_places, text));
}
