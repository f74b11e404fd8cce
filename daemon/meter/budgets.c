/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/budgets.h"

#include <string.h>

#include "base/clock.h"
#include "meter/calendar.h"
#include "meter/money/biller.h"
#include "wire/link.h"

enum {
    ROUND_SECONDS = 5,
    ANSWER_MS = 5000,
    /* What has not changed is told again after this time, so that it does not look old.
     */
    AGAIN_MS = 60000
};

/*
 * A round is one link: the store is brought up to now, and then vmd is asked for the next
 * tenant that has a budget, and told what that has spent, until there is none. A turn of
 * the main loop bills one tenant.  Whatever breaks the link ends the round, and the next
 * one begins anew.
 */
struct Budgets {
    char *path;
    Meter *meter;
    guint timer;
    WireLink *link;
    bool is_busy;
    /* The tenant that the round has come to; NULL before the first. */
    char *at;
    bool is_last;
};

static void ask_next(Budgets *budgets);

static void
end(Budgets *budgets)
{
    g_clear_pointer(&budgets->link, wire_link_free);
    g_clear_pointer(&budgets->at, g_free);
    budgets->is_busy = false;
}

static void
on_closed(WireLink *link, gpointer data)
{
    end(data);
}

static void
go_on(Budgets *budgets)
{
    if (budgets->is_last) {
        end(budgets);
    } else {
        ask_next(budgets);
    }
}

/* What was spent */

static bool
pass_line(const BillLine *line, gpointer data, GError **error)
{
    return true;
}

/* Of what a tenant is billed in several currencies that of the budget counts, unless the
 * month itself is used in another: that is trouble.  What only corrects months before in
 * another is none. */
static bool
choose_total(Biller *biller, const char *currency, BillTotal *ret_total, GError **error)
{
    BillTotal total = { 0 };
    bool more = true;

    while (biller_next(biller, pass_line, NULL, &more, &total, error)) {
        if (!more)
            return true;
        if (total.has_usage || g_strcmp0(total.currency, currency) == 0)
            *ret_total = total;
        if (total.has_usage && g_strcmp0(total.currency, currency) != 0)
            return true;
    }
    return false;
}

/* What the month of a tenant comes to so far; a currency of NULL is that of nothing. */
static bool
bill(const Meter *meter,
     const ProtoBudget *budget,
     gint64 at_ms,
     BillTotal *ret_total,
     GError **error)
{
    g_autofree char *period =
        calendar_format_month(calendar_month_of(calendar_day_of(at_ms)));
    const BillQuery query = { .tenant = budget->tenant, .period = period };
    g_autoptr(Biller) biller = NULL;
    BillTotal total = { 0 };

    if (!bookkeeper_update(meter->bookkeeper, error))
        return false;
    biller =
        biller_new(meter->store, bookkeeper_get_books(meter->bookkeeper), &query, error);
    if (biller == NULL || !choose_total(biller, budget->currency, &total, error))
        return false;
    /* A name of the biller's: it goes with it. */
    total.tenant = NULL;
    *ret_total = total;
    return true;
}

static void
on_told(const void *out, bool continues, const GError *error, gpointer data)
{
    Budgets *budgets = data;

    if (error != NULL &&
        (g_error_matches(error, PROTO_ERROR, PROTO_ERROR_HOST_UNREACHABLE) ||
         g_error_matches(error, PROTO_ERROR, PROTO_ERROR_DEADLINE))) {
        end(budgets);
        return;
    }
    if (error != NULL)
        g_message("What %s has spent was not taken: %s", budgets->at, error->message);
    go_on(budgets);
}

static void
tell(Budgets *budgets, const ProtoBudgetTellCall *call)
{
    wire_link_call(budgets->link, &proto_budget_tell, call, false, ANSWER_MS, on_told,
                   budgets);
}

/* Whether vmd has it just so, and lately. */
static bool
is_known(const ProtoBudget *budget, const char *spent, const char *as_of, gint64 at_ms)
{
    gint64 told_ms = 0;

    return budget->trouble == NULL && g_strcmp0(budget->spent, spent) == 0 &&
           budget->period != NULL && g_str_has_prefix(as_of, budget->period) &&
           budget->as_of != NULL && clock_parse_time(budget->as_of, &told_ms) &&
           at_ms - told_ms < AGAIN_MS;
}

static void
tell_spent(Budgets *budgets, const ProtoBudget *budget)
{
    gint64 at_ms = meter_store_get_known_ms(budgets->meter->store);
    g_autofree char *as_of = clock_format_time(at_ms);
    g_autofree char *spent = NULL;
    g_autoptr(GError) error = NULL;
    BillTotal total = { 0 };
    ProtoBudgetTellCall call = { .tenant = budget->tenant, .as_of = as_of };

    /* One that never had anything is not in the books. */
    if (bill(budgets->meter, budget, at_ms, &total, &error) ||
        g_error_matches(error, PROTO_ERROR, PROTO_ERROR_NOT_FOUND)) {
        call.spent = spent = decimal_format(total.total, total.places);
        call.currency = (char *) (gsize) total.currency;
    } else {
        call.trouble = error->message;
    }
    if (call.trouble != NULL ? g_strcmp0(budget->trouble, call.trouble) == 0
                             : is_known(budget, spent, as_of, at_ms)) {
        go_on(budgets);
    } else {
        tell(budgets, &call);
    }
}

/* Rounds */

static void
on_next(const void *out, bool continues, const GError *error, gpointer data)
{
    Budgets *budgets = data;
    const ProtoBudgetListReply *reply = out;

    if (error != NULL || reply->n_budgets == 0) {
        end(budgets);
        return;
    }
    g_free(budgets->at);
    budgets->at = g_strdup(reply->budgets[0].tenant);
    budgets->is_last = reply->next == NULL;
    tell_spent(budgets, &reply->budgets[0]);
}

static void
ask_next(Budgets *budgets)
{
    const ProtoBudgetListCall call = {
        .after = budgets->at,
        .has_limit = true,
        .limit = 1,
    };

    wire_link_call(budgets->link, &proto_budget_list, &call, false, ANSWER_MS, on_next,
                   budgets);
}

static void
on_fresh(gpointer data)
{
    Budgets *budgets = data;
    const Meter *meter = budgets->meter;

    if (controller_is_current(meter->controller) &&
        controller_is_following(meter->controller))
        budgets->link = wire_link_connect(budgets->path, on_closed, budgets, NULL);
    if (budgets->link != NULL) {
        ask_next(budgets);
    } else {
        end(budgets);
    }
}

static gboolean
begin(gpointer data)
{
    Budgets *budgets = data;

    if (budgets->is_busy)
        return G_SOURCE_CONTINUE;
    budgets->is_busy = true;
    controller_refresh(budgets->meter->controller, on_fresh, budgets);
    return G_SOURCE_CONTINUE;
}

Budgets *
budgets_new(const char *path, Meter *meter)
{
    Budgets *budgets = g_new0(Budgets, 1);

    budgets->path = g_strdup(path);
    budgets->meter = meter;
    budgets->timer = g_timeout_add_seconds(ROUND_SECONDS, begin, budgets);
    return budgets;
}

void
budgets_free(Budgets *budgets)
{
    if (budgets == NULL)
        return;
    g_clear_handle_id(&budgets->timer, g_source_remove);
    end(budgets);
    g_free(budgets->path);
    g_free(budgets);
}
