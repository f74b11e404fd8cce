/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "meter-fixture.h"
#include "meter/closing.h"
#include "meter/money/biller.h"

#define HOUR_MS G_GINT64_CONSTANT(3600000)
#define DAY_MS (24 * HOUR_MS)
#define OCTOBER_MS METER_FIXTURE_START_MS

/*
 * vmd is here in place of the daemon's own: it notes at once, and something may have come
 * in just before.
 */
static struct {
    MeterFixture *fixture;
    gint64 newest;
    gint64 now_ms;
    /* Before the note of this topic something without a price comes in. */
    LedgerTopic unpriced_before;
    /* From the note of this topic on it is away. */
    LedgerTopic away_from;
    char *sealed;
} vmd;

void
controller_refresh(Controller *controller, void (*done)(gpointer data), gpointer data)
{
    done(data);
}

static void
add_use(gint64 from_ms)
{
    ProtoLedgerRow use = meter_fixture_used(++vmd.newest, 3, from_ms, from_ms + HOUR_MS,
                                            COUNTER_NET_TX_BYTES, "mac", 3000000000);

    use.at_ms = vmd.now_ms;
    meter_fixture_apply(vmd.fixture, use);
}

static void
add_note(const char *topic, const char *text)
{
    meter_fixture_apply(vmd.fixture, meter_fixture_noted(++vmd.newest, topic, text,
                                                         vmd.now_ms - OCTOBER_MS));
}

void
controller_note(Controller *controller,
                gint64 follows,
                LedgerTopic topic,
                const char *tenant,
                const char *note,
                ControllerNoted done,
                gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (topic == vmd.unpriced_before) {
        vmd.unpriced_before = LEDGER_TOPIC_N;
        add_use(HOUR_MS);
    }
    if (topic == vmd.away_from) {
        proto_error_set_host_unreachable(&error, "", "vmd is away");
        done(0, error, data);
        return;
    }
    add_note(ledger_topic_get_name(topic), note);
    if (topic == LEDGER_TOPIC_SEALED) {
        g_free(vmd.sealed);
        vmd.sealed = g_strdup(note);
    }
    done(vmd.newest, NULL, data);
}

/* Nothing that is sent has a price in October. */
static void
begin(MeterFixture *fixture)
{
    static const char card[] =
        "{\"card\":\"c\",\"version\":1,\"currency\":\"EUR\","
        "\"from\":\"2026-10-01T00:00:00Z\",\"lines\":["
        "{\"sku\":\"vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"0.01\"}],"
        "\"free\":[\"instance.time\",\"memory.alloc\"]}";
    g_autofree char *assignment = g_strdup_printf(
        "{\"card\":\"c\",\"from_ms\":%" G_GINT64_FORMAT ",\"discount_ppm\":0}",
        OCTOBER_MS);

    g_free(vmd.sealed);
    memset(&vmd, 0, sizeof vmd);
    vmd.fixture = fixture;
    vmd.unpriced_before = vmd.away_from = LEDGER_TOPIC_N;
    vmd.now_ms = OCTOBER_MS;
    add_note("card", card);
    add_note("assignment", assignment);
    meter_fixture_apply(fixture, meter_fixture_opened(++vmd.newest, 1, 0));
    vmd.now_ms = OCTOBER_MS + 34 * DAY_MS;
}

static void
give_a_price(const char *from)
{
    g_autofree char *text = g_strdup_printf(
        "{\"card\":\"c\",\"version\":2,\"currency\":\"EUR\",\"from\":\"%s\",\"lines\":["
        "{\"sku\":\"vcpu\",\"meter\":\"vcpu.alloc\",\"price\":\"0.01\"},"
        "{\"sku\":\"sent\",\"meter\":\"net.tx.bytes\",\"price\":\"2\"}],"
        "\"free\":[\"instance.time\",\"memory.alloc\"]}",
        from);

    add_note("card", text);
}

static void
on_done(const BooksPeriod *period, const GError *error, gpointer data)
{
    *(char **) data = g_strdup(error != NULL ? error->message : "sealed");
}

static char *
close_month(MeterFixture *fixture, const char *month)
{
    Meter meter = { .store = fixture->store, .grace_hours = 48 };
    g_autoptr(Bookkeeper) bookkeeper = bookkeeper_new(fixture->store, NULL);
    char *said = NULL;

    meter.bookkeeper = bookkeeper;
    meter_store_set_known_ms(fixture->store, vmd.now_ms);
    g_assert_true(bookkeeper_update(bookkeeper, NULL));
    closing_start(&meter, month, on_done, &said);
    return said;
}

static void
assert_closed(MeterFixture *fixture, const char *month)
{
    g_autofree char *said = close_month(fixture, month);

    g_assert_cmpstr(said, ==, "sealed");
}

static void
assert_refused(MeterFixture *fixture, const char *month, const char *why)
{
    g_autofree char *said = close_month(fixture, month);

    g_assert_nonnull(strstr(said, why));
}

static bool
pass_line(const BillLine *line, gpointer data, GError **error)
{
    return true;
}

/* What a closed month comes to. */
static void
assert_total(MeterFixture *fixture, const char *month, const char *expected)
{
    g_autoptr(Bookkeeper) bookkeeper = bookkeeper_new(fixture->store, NULL);
    const BillQuery query = { .period = month };
    g_autoptr(Biller) biller = NULL;
    g_autofree char *text = NULL;
    BillTotal total = { 0 };
    bool more = true;

    g_assert_true(bookkeeper_update(bookkeeper, NULL));
    biller = biller_new(fixture->store, bookkeeper_get_books(bookkeeper), &query, NULL);
    g_assert_true(biller_next(biller, pass_line, NULL, &more, &total, NULL));
    text = decimal_format(total.cost, 0);
    g_assert_cmpstr(text, ==, expected);
}

/* Two vCPUs cost 0.48 a day, and the three GB six once they have a price. */
static void
what_has_no_price_and_comes_in_meanwhile_is_late(MeterFixture *fixture,
                                                 gconstpointer unused)
{
    begin(fixture);
    vmd.unpriced_before = LEDGER_TOPIC_CLOSED;
    assert_closed(fixture, "2026-10");
    g_assert_nonnull(strstr(vmd.sealed, "\"unpriced\":[\"blue\"]"));
    assert_total(fixture, "2026-10", "14.88");

    vmd.now_ms = OCTOBER_MS + 65 * DAY_MS;
    assert_refused(fixture, "2026-11", "2026-10 is closed: give it a price");
    give_a_price("2026-11-01T00:00:00Z");
    assert_closed(fixture, "2026-11");
    g_assert_null(strstr(vmd.sealed, "unpriced"));
    assert_total(fixture, "2026-10", "14.88");
    assert_total(fixture, "2026-11", "20.4");

    vmd.now_ms = OCTOBER_MS + 95 * DAY_MS;
    assert_closed(fixture, "2026-12");
    assert_total(fixture, "2026-12", "14.88");
}

/* October's comes in while November is being closed, and is billed in December. */
static void
what_is_late_and_comes_in_meanwhile_is_later_still(MeterFixture *fixture,
                                                   gconstpointer unused)
{
    begin(fixture);
    assert_closed(fixture, "2026-10");
    vmd.now_ms = OCTOBER_MS + 65 * DAY_MS;
    vmd.unpriced_before = LEDGER_TOPIC_CLOSED;
    assert_closed(fixture, "2026-11");
    assert_total(fixture, "2026-11", "14.4");
    vmd.now_ms = OCTOBER_MS + 95 * DAY_MS;
    assert_refused(fixture, "2026-12", "2026-10 is closed: give it a price");
    give_a_price("2026-12-01T00:00:00Z");
    assert_closed(fixture, "2026-12");
    assert_total(fixture, "2026-12", "20.88");
    assert_total(fixture, "2026-11", "14.4");
}

/* Its invoices could not be noted any more. */
static void
a_month_is_not_closed_before_the_one_before_is_sealed(MeterFixture *fixture,
                                                      gconstpointer unused)
{
    begin(fixture);
    vmd.away_from = LEDGER_TOPIC_INVOICE;
    assert_refused(fixture, "2026-10", "vmd is away");
    vmd.away_from = LEDGER_TOPIC_N;
    vmd.now_ms = OCTOBER_MS + 65 * DAY_MS;
    assert_refused(fixture, "2026-11", "2026-10 has not all its invoices");
    assert_closed(fixture, "2026-10");
    assert_closed(fixture, "2026-11");
}

#define TEST(name, function)                                                             \
    g_test_add("/closing/" name, MeterFixture, NULL, meter_fixture_set_up, function,     \
               meter_fixture_tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("a-month-is-not-closed-before-the-one-before-is-sealed",
         a_month_is_not_closed_before_the_one_before_is_sealed);
    TEST("what-has-no-price-and-comes-in-meanwhile-is-late",
         what_has_no_price_and_comes_in_meanwhile_is_late);
    TEST("what-is-late-and-comes-in-meanwhile-is-later-still",
         what_is_late_and_comes_in_meanwhile_is_later_still);
    return g_test_run();
}
