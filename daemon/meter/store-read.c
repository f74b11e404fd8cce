/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "meter/store-private.h"

bool
meter_store_has_tenant(MeterStore *store,
                       const char *tenant,
                       bool *ret_has,
                       GError **error)
{
    Statement *statement = store->statements[FIND_TENANT];
    bool good = false;

    statement_bind_text(statement, 1, tenant);
    good = statement_step(statement, ret_has, error);
    statement_reset(statement);
    return good;
}

SegmentReading
segment_reading_start(MeterStore *store, const char *tenant, const Window *window)
{
    return (SegmentReading){
        .tenant = g_strdup(tenant),
        .window = *window,
        .as_of_seq = store->cursor.seq,
        .known_ms = store->known_ms,
        .at_tenant = g_strdup(tenant != NULL ? tenant : ""),
    };
}

void
segment_reading_clear(SegmentReading *reading)
{
    g_free(reading->tenant);
    g_free(reading->at_tenant);
    *reading = (SegmentReading){ 0 };
}

static void
bind_reading(Statement *statement, const SegmentReading *reading, guint limit)
{
    statement_bind_text(statement, 1, reading->at_tenant);
    statement_bind_int(statement, 2, reading->at_resource);
    statement_bind_int(statement, 3, reading->at_seq);
    statement_bind_int(statement, 4, reading->as_of_seq);
    statement_bind_int(statement, 5, reading->window.to_ms);
    statement_bind_int(statement, 6, reading->window.from_ms);
    statement_bind_int(statement, 7, limit);
}

static void
set_text(char **place, const char *text)
{
    if (strcmp(*place, text) == 0)
        return;
    g_free(*place);
    *place = g_strdup(text);
}

static bool
read_row(SegmentReading *reading, Statement *statement, UsageFold *fold, GError **error)
{
    gint64 end_seq = statement_get_int(statement, 10);
    bool is_closed = end_seq != 0 && end_seq <= reading->as_of_seq;
    const UsageSegment segment = {
        .tenant = statement_get_text(statement, 0),
        .instance = statement_get_text(statement, 2),
        .name = statement_get_text(statement, 4),
        .state = (BillingState) statement_get_int(statement, 5),
        .vcpus = statement_get_int(statement, 6),
        .memory_bytes = statement_get_int(statement, 7),
        .disk_bytes = statement_get_int(statement, 8),
        .start_ms = statement_get_int(statement, 9),
        .end_ms = is_closed ? statement_get_int(statement, 11) : reading->known_ms,
    };

    set_text(&reading->at_tenant, segment.tenant);
    reading->at_resource = statement_get_int(statement, 1);
    reading->at_seq = statement_get_int(statement, 3);
    return usage_fold_add(fold, &segment, error);
}

bool
meter_store_read(MeterStore *store,
                 SegmentReading *reading,
                 guint limit,
                 UsageFold *fold,
                 bool *ret_more,
                 GError **error)
{
    Statement *statement =
        store->statements[reading->tenant != NULL ? READ_TENANT : READ_ALL];
    bool has_row = true;
    bool good = true;
    guint count = 0;

    bind_reading(statement, reading, limit);
    while (good) {
        good = statement_step(statement, &has_row, error);
        if (!good || !has_row)
            break;
        count++;
        good = read_row(reading, statement, fold, error);
    }
    statement_reset(statement);
    if (good)
        *ret_more = count == limit;
    return good;
}
