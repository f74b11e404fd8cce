/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter/calendar.h"
#include "meter/view-private.h"

/*
 * Sums lie by tenant, day and resource, and are wanted by tenant, resource and day.  So
 * the sums of one resource are fetched day by day, months at once where a month is wanted
 * whole, and put in order: a page is a resource.  What the rows after the view's added is
 * taken off.
 */

/** A sum as it is stored, of one counter of the resource. */
typedef struct {
    gint64 device_id;
    const char *device;
    Counter counter;
    /** The day; before all days for what was counted before them. */
    gint64 at;
    gint64 quantity;
    gint64 estimated;
    gint64 rows;
    gint64 first_seq;
} Item;

static const gint64 before_all = G_MININT64;

struct ViewUses {
    View *view;
    char *tenant;
    gint64 resource;
    gint64 from_day;
    gint64 to_day;
    ViewGrain grain;
    /** Where it stands. */
    char *at_tenant;
    gint64 at_tenant_id;
    gint64 at_resource;
    char *at_id;
    /** The days of the resource's first use and of its last. */
    gint64 first_day;
    gint64 last_day;
    /** Of the resource. */
    GArray *items;
    GStringChunk *texts;
    GArray *page;
    guint at;
    bool is_end;
};

ViewUses *
view_uses_new(View *view, const ViewDays *days, ViewGrain grain, GError **error)
{
    ViewUses *uses = NULL;

    if (view->undo == NULL) {
        view->undo = undo_new(view->store, view->head.seq, error);
        if (view->undo == NULL)
            return NULL;
    }
    uses = g_new0(ViewUses, 1);
    uses->view = view;
    uses->tenant = g_strdup(days->tenant);
    uses->resource = days->resource;
    uses->from_day = days->from_day;
    uses->to_day = days->to_day;
    uses->grain = grain;
    uses->at_tenant = g_strdup("");
    uses->items = g_array_new(FALSE, FALSE, sizeof(Item));
    uses->page = g_array_new(FALSE, FALSE, sizeof(ViewUsage));
    uses->texts = g_string_chunk_new(1024);
    return uses;
}

void
view_uses_free(ViewUses *uses)
{
    if (uses == NULL)
        return;
    g_free(uses->tenant);
    g_free(uses->at_tenant);
    g_free(uses->at_id);
    g_array_unref(uses->items);
    g_array_unref(uses->page);
    g_string_chunk_free(uses->texts);
    g_free(uses);
}

/* Items */

/* What statement is at, less what came after the view. */
static void
take_item(
    ViewUses *uses, Statement *statement, gint64 key_at, gint64 at, const Rollup *undo)
{
    const RollupKey key = {
        .tenant = uses->at_tenant_id,
        .at = key_at,
        .resource = uses->at_resource,
        .device = statement_get_int(statement, 0),
        .counter = statement_get_int(statement, 1),
        .era = statement_get_int(statement, 2),
    };
    const RollupSum *off = rollup_find(undo, &key);
    Item item = {
        .device_id = key.device,
        .counter = (Counter) key.counter,
        .at = at,
        .quantity = statement_get_int(statement, 3),
        .estimated = statement_get_int(statement, 4),
        .rows = statement_get_int(statement, 5),
        .first_seq = statement_get_int(statement, 6),
    };

    if (off != NULL) {
        item.quantity -= off->quantity;
        item.estimated -= off->estimated;
        item.rows -= off->rows;
    }
    if (item.rows > 0)
        g_array_append_val(uses->items, item);
}

/* The sums of a day or a month, counted as of at. */
static bool
read_sums(ViewUses *uses,
          StatementId id,
          gint64 key_at,
          gint64 at,
          const Rollup *undo,
          GError **error)
{
    Statement *statement = uses->view->store->statements[id];
    bool has_row = true;
    bool good = true;

    statement_bind_int(statement, 1, uses->at_tenant_id);
    statement_bind_int(statement, 2, key_at);
    statement_bind_int(statement, 3, uses->at_resource);
    statement_bind_int(statement, 4, uses->view->undo->era);
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        take_item(uses, statement, key_at, at, undo);
    }
    statement_reset(statement);
    return good;
}

/* Whether all that a month has of the resource lies in days from one on and before
 * another. */
static bool
is_whole(const ViewUses *uses, gint64 month, gint64 from, gint64 to)
{
    return (calendar_month_first_day(month) >= from || uses->first_day >= from) &&
           (calendar_month_first_day(month + 1) <= to || uses->last_day < to);
}

/* Sums of days from one on and before another, each of its day, or all as of at. */
static bool
read_days(ViewUses *uses, gint64 from, gint64 to, bool by_day, gint64 at, GError **error)
{
    const Undo *undo = uses->view->undo;

    for (gint64 day = MAX(from, uses->first_day); day < to && day <= uses->last_day;) {
        gint64 month = calendar_month_of(day);

        if (!by_day && is_whole(uses, month, from, to)) {
            if (!read_sums(uses, READ_MONTH, month, at, undo->months, error))
                return false;
            day = calendar_month_first_day(month + 1);
            continue;
        }
        if (!read_sums(uses, READ_DAY, day, by_day ? day : at, undo->days, error))
            return false;
        day++;
    }
    return true;
}

/* The totals as they stand, which are as of now: only if what came since is known. */
static bool
read_totals(ViewUses *uses, GError **error)
{
    Statement *statement = uses->view->store->statements[READ_TOTALS];
    const Rollup *undo = uses->view->undo->totals;
    bool is_wanted = uses->grain == VIEW_EVER && undo != NULL;
    bool has_row = true;
    bool good = true;

    uses->first_day = G_MAXINT64;
    uses->last_day = G_MININT64;
    statement_bind_int(statement, 1, uses->at_tenant_id);
    statement_bind_int(statement, 2, uses->at_resource);
    while ((good = statement_step(statement, &has_row, error)) && has_row) {
        uses->first_day = MIN(uses->first_day, statement_get_int(statement, 7));
        uses->last_day = MAX(uses->last_day, statement_get_int(statement, 8));
        if (is_wanted)
            take_item(uses, statement, 0, statement_get_int(statement, 7), undo);
    }
    statement_reset(statement);
    return good;
}

static bool
read_items(ViewUses *uses, GError **error)
{
    g_array_set_size(uses->items, 0);
    if (!read_totals(uses, error))
        return false;
    if (uses->grain == VIEW_EVER)
        return uses->view->undo->totals != NULL ||
               read_days(uses, uses->first_day, G_MAXINT64, false, uses->first_day,
                         error);
    /* Nobody asks what was counted before days in which nothing was. */
    if (uses->first_day >= uses->to_day || uses->last_day < uses->from_day)
        return true;
    return read_days(uses, G_MININT64, uses->from_day, false, before_all, error) &&
           read_days(uses, uses->from_day, uses->to_day, uses->grain == VIEW_BY_DAY,
                     uses->from_day, error);
}

/* Order */

static bool
name_devices(ViewUses *uses, GError **error)
{
    Statement *statement = uses->view->store->statements[GET_NAME_DEVICE];
    const Item *before = NULL;

    for (guint i = 0; i < uses->items->len; i++) {
        Item *item = &g_array_index(uses->items, Item, i);
        bool has_row = true;
        bool good = true;

        if (before != NULL && before->device_id == item->device_id) {
            item->device = before->device;
        } else {
            statement_bind_int(statement, 1, item->device_id);
            good = statement_step(statement, &has_row, error);
            if (good && has_row)
                item->device = g_string_chunk_insert_const(
                    uses->texts, statement_get_text(statement, 0));
            statement_reset(statement);
        }
        if (good && item->device == NULL)
            proto_error_set_internal(error, "database", "meter.db has lost a device");
        if (item->device == NULL)
            return false;
        before = item;
    }
    return true;
}

static int
compare_items(gconstpointer a, gconstpointer b)
{
    const Item *left = a;
    const Item *right = b;
    int devices = strcmp(left->device, right->device);

    if (devices != 0)
        return devices;
    if (left->counter != right->counter)
        return left->counter < right->counter ? -1 : 1;
    return left->at < right->at ? -1 : left->at > right->at ? 1 : 0;
}

static bool
is_same_counter(const ViewUsage *use, const Item *item)
{
    return use->counter == item->counter && strcmp(use->device, item->device) == 0;
}

static void
add_use(ViewUses *uses, const Item *item, gint64 before)
{
    const ViewUsage use = {
        .tenant = uses->at_tenant,
        .resource = uses->at_resource,
        .id = uses->at_id,
        .device = item->device,
        .counter = item->counter,
        .day = item->at,
        .quantity = item->quantity,
        .estimated = item->estimated,
        .before = before,
        .rows = item->rows,
        .first_seq = item->first_seq,
    };

    g_array_append_val(uses->page, use);
}

static bool
refuse_sum(const ViewUses *uses, GError **error)
{
    proto_error_set_internal(
        error, "usage", "What instance %s used is too much to be counted", uses->at_id);
    return false;
}

/* Adds item to use, which is of the same day. */
static bool
merge_item(const ViewUses *uses, ViewUsage *use, const Item *item, GError **error)
{
    if (__builtin_add_overflow(use->quantity, item->quantity, &use->quantity))
        return refuse_sum(uses, error);
    use->estimated += item->estimated;
    use->rows += item->rows;
    use->first_seq = MIN(use->first_seq, item->first_seq);
    return true;
}

/* From items in order to what is given. */
static bool
make_page(ViewUses *uses, GError **error)
{
    const Item *before = NULL;
    gint64 total = 0;

    for (guint i = 0; i < uses->items->len; i++) {
        const Item *item = &g_array_index(uses->items, Item, i);
        ViewUsage *last = uses->page->len > 0
                              ? &g_array_index(uses->page, ViewUsage, uses->page->len - 1)
                              : NULL;

        if (before == NULL || before->counter != item->counter ||
            strcmp(before->device, item->device) != 0)
            total = 0;
        before = item;
        if (item->at != before_all) {
            if (last == NULL || last->day != item->at || !is_same_counter(last, item))
                add_use(uses, item, total);
            else if (!merge_item(uses, last, item, error))
                return false;
        }
        if (__builtin_add_overflow(total, item->quantity, &total))
            return refuse_sum(uses, error);
    }
    return true;
}

/* Going on */

/* The next tenant of those that are asked for; of one that is, there is no next. */
static bool
move_tenant(ViewUses *uses, GError **error)
{
    bool is_one = uses->tenant != NULL;
    Statement *statement =
        uses->view->store->statements[is_one ? FIND_NAME_TENANT : NEXT_TENANT];
    bool has_row = false;
    bool good = false;

    if (is_one && uses->at_tenant_id != 0) {
        uses->is_end = true;
        return true;
    }
    statement_bind_text(statement, 1, is_one ? uses->tenant : uses->at_tenant);
    good = statement_step(statement, &has_row, error);
    if (good && has_row) {
        uses->at_tenant_id = statement_get_int(statement, 0);
        g_free(uses->at_tenant);
        uses->at_tenant =
            g_strdup(is_one ? uses->tenant : statement_get_text(statement, 1));
        uses->at_resource = uses->resource > 0 ? uses->resource - 1 : 0;
    }
    statement_reset(statement);
    uses->is_end = good && !has_row;
    return good;
}

/* The next resource of the tenant; ret_has tells whether there is one. */
static bool
move_resource(ViewUses *uses, bool *ret_has, GError **error)
{
    Statement *statement = uses->view->store->statements[NEXT_RESOURCE];
    bool good = false;

    *ret_has = false;
    if (uses->at_tenant_id == 0)
        return true;
    statement_bind_int(statement, 1, uses->at_tenant_id);
    statement_bind_int(statement, 2, uses->at_resource + 1);
    good = statement_step(statement, ret_has, error);
    if (good && *ret_has) {
        uses->at_resource = statement_get_int(statement, 0);
        g_free(uses->at_id);
        uses->at_id = g_strdup(statement_get_text(statement, 1));
        *ret_has = uses->resource == 0 || uses->at_resource == uses->resource;
    }
    statement_reset(statement);
    return good;
}

static bool
read_resource(ViewUses *uses, GError **error)
{
    g_array_set_size(uses->page, 0);
    g_string_chunk_clear(uses->texts);
    uses->at = 0;
    if (!read_items(uses, error) || !name_devices(uses, error))
        return false;
    g_array_sort(uses->items, compare_items);
    return make_page(uses, error);
}

static bool
move_on(ViewUses *uses, GError **error)
{
    bool has = false;

    if (!view_check(uses->view, error) || !move_resource(uses, &has, error))
        return false;
    return has ? read_resource(uses, error) : move_tenant(uses, error);
}

bool
view_uses_next(ViewUses *uses, bool *ret_has, ViewUsage *ret_use, GError **error)
{
    while (uses->at == uses->page->len && !uses->is_end) {
        if (!move_on(uses, error))
            return false;
    }
    *ret_has = uses->at < uses->page->len;
    if (*ret_has)
        *ret_use = g_array_index(uses->page, ViewUsage, uses->at++);
    return true;
}
