/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/bills/life.h"

#include "sim/bills/ledger.h"
#include "sim/world.h"

enum {
    MINUTE_MS = 60000,
    /** Something is learnt so many minutes late at most. */
    LATE_MINUTES = 6 * 24 * 60,
    FLICKER_MINUTES = 30,
    DEVICES = 2,
    /* In a thousand. */
    LATE_RATE = 300,
    BOOKED_RATE = 500,
    USE_RATE = 600,
    ESTIMATED_RATE = 300,
    RENAME_RATE = 400,
    FOUND_RATE = 100,
};

static const gint64 mebibyte = 1048576;

typedef struct {
    bool is_there;
    BillingState state;
    gint64 vcpus;
    gint64 memory_mib;
    gint64 disk_mib;
    guint look;
    /** Places among the stretches of those that are open, by kind. */
    guint open[RESOURCE_KIND_N];
    /** Up to where use is booked. */
    gint64 used_ms;
    /** The end of a stretch of which the use is not booked yet; no segment: nothing is
     * missing. */
    gint64 missing_segment;
    gint64 missing_from_ms;
    gint64 missing_to_ms;
} Guest;

typedef struct {
    gint64 now_ms;
    Guest guests[FACTS_INSTANCES];
    guint n_guests;
    guint n_looks;
    /** Tenants that are no more, as bits. */
    guint gone;
} Life;

static Life life;
static Facts *facts;

void
life_begin(Facts *target)
{
    facts = target;
    life = (Life){ .now_ms = facts_month_start(0) };
}

gint64
life_now_ms(void)
{
    return life.now_ms;
}

void
life_wait(gint64 ms)
{
    life.now_ms += ms;
}

gpointer
life_copy(void)
{
    return g_memdup2(&life, sizeof life);
}

void
life_put_back(gconstpointer copy)
{
    gint64 now_ms = life.now_ms;

    life = *(const Life *) copy;
    life.now_ms = now_ms;
}

char *
life_make_id(guint instance)
{
    return g_strdup_printf("%08u-1111-4111-8111-111111111111", instance);
}

char *
life_make_name(guint look)
{
    return g_strdup_printf("guest-%u", look);
}

char *
life_make_label(guint look)
{
    return g_strdup_printf("team-%u", look);
}

/* Rows */

static guint
get_number(const Guest *guest)
{
    return (guint) (guest - life.guests);
}

static Stretch *
get_open(const Guest *guest, ResourceKind kind)
{
    return &g_array_index(facts->stretches, Stretch, guest->open[kind]);
}

static char **
make_labels(guint look)
{
    char **labels = g_new0(char *, 3);

    labels[0] = g_strdup("team");
    labels[1] = life_make_label(look);
    return labels;
}

static gint64
book_opened(const Stretch *stretch)
{
    ProtoLedgerRow row = {
        .kind = LEDGER_KIND_OPENED,
        .has_from_ms = true,
        .from_ms = stretch->start_ms,
        .has_resource_kind = true,
        .resource_kind = stretch->kind,
        .has_state = true,
        .state = stretch->state,
        .has_vcpus = stretch->vcpus > 0,
        .vcpus = stretch->vcpus,
        .has_memory_bytes = stretch->memory_mib > 0,
        .memory_bytes = stretch->memory_mib * mebibyte,
        .has_disk_bytes = stretch->disk_mib > 0,
        .disk_bytes = stretch->disk_mib * mebibyte,
    };

    row.cause = g_strdup("changed");
    row.resource = life_make_id(stretch->instance);
    row.tenant = g_strdup(facts_tenants[stretch->instance % FACTS_TENANTS]);
    row.name = life_make_name(stretch->look);
    row.labels = make_labels(stretch->look);
    row.host = g_strdup("local");
    return ledger_add(&row, life.now_ms);
}

static void
open_stretch(Guest *guest, ResourceKind kind, gint64 start_ms)
{
    bool is_instance = kind == RESOURCE_KIND_INSTANCE;
    Stretch stretch = {
        .instance = get_number(guest),
        .kind = kind,
        .state = is_instance ? guest->state : BILLING_STATE_HELD,
        .vcpus = is_instance ? guest->vcpus : 0,
        .memory_mib = is_instance ? guest->memory_mib : 0,
        .disk_mib = kind != RESOURCE_KIND_ADDRESS ? guest->disk_mib : 0,
        .start_ms = start_ms,
        .look = guest->look,
    };

    stretch.seq = book_opened(&stretch);
    guest->open[kind] = facts->stretches->len;
    g_array_append_val(facts->stretches, stretch);
}

static void
close_stretch(const Guest *guest, ResourceKind kind, gint64 end_ms)
{
    Stretch *stretch = get_open(guest, kind);
    ProtoLedgerRow row = {
        .kind = LEDGER_KIND_CLOSED,
        .has_segment = true,
        .segment = stretch->seq,
        .has_to_ms = true,
        .to_ms = end_ms,
    };

    row.cause = g_strdup("changed");
    stretch->end_ms = end_ms;
    stretch->end_seq = ledger_add(&row, life.now_ms);
}

/* Use */

static gint64
choose_quantity(Counter counter)
{
    static const guint largest[] = {
        [COUNTER_CPU_TIME] = 2000000000,  [COUNTER_DISK_READ_BYTES] = 2000000000,
        [COUNTER_DISK_WRITE_BYTES] = 999, [COUNTER_DISK_READ_OPS] = 1000,
        [COUNTER_DISK_WRITE_OPS] = 10,    [COUNTER_NET_RX_BYTES] = 100000,
        [COUNTER_NET_TX_BYTES] = 1000000,
    };

    return (gint64) world_random(largest[counter]) * (1 + world_random(1000));
}

static void
book_use(
    const Guest *guest, gint64 segment, gint64 from_ms, gint64 to_ms, Counter counter)
{
    gint64 quantity = choose_quantity(counter);
    Use use = {
        .instance = get_number(guest),
        .counter = counter,
        .from_ms = from_ms,
        .to_ms = to_ms,
        .estimated = world_chance(ESTIMATED_RATE) ? quantity / 3 : 0,
    };
    ProtoLedgerRow row = {
        .kind = LEDGER_KIND_USED,
        .has_segment = true,
        .segment = segment,
        .has_from_ms = true,
        .from_ms = from_ms,
        .has_to_ms = true,
        .to_ms = to_ms,
        .has_counter = true,
        .counter = counter,
        .has_quantity = true,
        .quantity = quantity,
        .has_estimated = use.estimated > 0,
        .estimated = use.estimated,
    };

    if (counter != COUNTER_CPU_TIME)
        row.device = g_strdup_printf("device-%u", world_random(DEVICES));
    use.certain = quantity - use.estimated;
    use.seq = ledger_add(&row, life.now_ms);
    g_array_append_val(facts->uses, use);
}

static void
book_uses(const Guest *guest, gint64 segment, gint64 from_ms, gint64 to_ms)
{
    for (Counter counter = 0; from_ms < to_ms && counter < COUNTER_N; counter++) {
        if (world_chance(USE_RATE))
            book_use(guest, segment, from_ms, to_ms, counter);
    }
}

/* Of a stretch that has ended: now or never. */
static void
book_missing(Guest *guest)
{
    if (guest->missing_segment != 0 && world_chance(BOOKED_RATE))
        book_uses(guest, guest->missing_segment, guest->missing_from_ms,
                  guest->missing_to_ms);
    guest->missing_segment = 0;
}

/* Up to an instant, in the stretch that is open. */
static void
book_open(Guest *guest, gint64 to_ms)
{
    book_missing(guest);
    book_uses(guest, get_open(guest, RESOURCE_KIND_INSTANCE)->seq, guest->used_ms, to_ms);
    guest->used_ms = to_ms;
}

static bool
is_on(const Guest *guest)
{
    return guest->state != BILLING_STATE_STOPPED;
}

/* The stretch ends: its use is booked now, or perhaps later. */
static void
end_use(Guest *guest, gint64 end_ms)
{
    gint64 segment = get_open(guest, RESOURCE_KIND_INSTANCE)->seq;

    book_missing(guest);
    if (!is_on(guest))
        return;
    if (world_chance(BOOKED_RATE)) {
        book_open(guest, end_ms);
        return;
    }
    guest->missing_segment = segment;
    guest->missing_from_ms = guest->used_ms;
    guest->missing_to_ms = end_ms;
}

/* Acts */

/* Now, or a while ago if that is learnt late. */
static gint64
choose_moment(const Guest *guest)
{
    gint64 late_ms =
        world_chance(LATE_RATE) ? (gint64) world_random(LATE_MINUTES) * MINUTE_MS + 7 : 0;
    gint64 least_ms = guest->used_ms;

    for (ResourceKind kind = 0; kind < RESOURCE_KIND_N; kind++) {
        least_ms = MAX(least_ms, get_open(guest, kind)->start_ms);
    }
    return MAX(life.now_ms - late_ms, least_ms);
}

static void
choose_size(Guest *guest)
{
    guest->vcpus = 1 + world_random(8);
    guest->memory_mib = 128 + world_random(4096);
}

static void
create(void)
{
    Guest *guest = &life.guests[life.n_guests];
    gint64 late_ms = world_chance(LATE_RATE) ? world_random(LATE_MINUTES) * MINUTE_MS : 0;
    gint64 start_ms = MAX(life.now_ms - late_ms, facts_month_start(0));

    if (life.n_guests == FACTS_INSTANCES)
        return;
    life.n_guests++;
    if ((life.gone >> get_number(guest) % FACTS_TENANTS & 1) != 0)
        return;
    guest->is_there = true;
    guest->state = BILLING_STATE_RUNNING;
    guest->disk_mib = 1 + world_random(10000);
    guest->look = life.n_looks++;
    guest->used_ms = start_ms;
    choose_size(guest);
    for (ResourceKind kind = 0; kind < RESOURCE_KIND_N; kind++) {
        open_stretch(guest, kind, start_ms);
    }
}

static void
become(Guest *guest, BillingState state, gint64 at_ms)
{
    end_use(guest, at_ms);
    close_stretch(guest, RESOURCE_KIND_INSTANCE, at_ms);
    if (world_chance(RENAME_RATE))
        guest->look = life.n_looks++;
    choose_size(guest);
    guest->state = state;
    guest->used_ms = at_ms;
    open_stretch(guest, RESOURCE_KIND_INSTANCE, at_ms);
}

static void
change(Guest *guest)
{
    static const BillingState states[] = { BILLING_STATE_RUNNING, BILLING_STATE_PAUSED,
                                           BILLING_STATE_STOPPED };

    become(guest, states[world_random(G_N_ELEMENTS(states))], choose_moment(guest));
}

/* Short runs, and short times between them. */
static void
flicker(Guest *guest)
{
    static const BillingState states[] = { BILLING_STATE_STOPPED, BILLING_STATE_RUNNING,
                                           BILLING_STATE_STOPPED, BILLING_STATE_RUNNING };

    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        become(guest, states[i], life.now_ms);
        life.now_ms += world_random(FLICKER_MINUTES) * MINUTE_MS;
    }
}

static void
destroy(Guest *guest)
{
    gint64 at_ms = choose_moment(guest);

    end_use(guest, at_ms);
    for (ResourceKind kind = 0; kind < RESOURCE_KIND_N; kind++) {
        close_stretch(guest, kind, at_ms);
    }
    guest->is_there = false;
}

/* A quarter of what passed since the last time, or more. */
static void
use(Guest *guest)
{
    gint64 length_ms = life.now_ms - guest->used_ms;

    if (is_on(guest) && length_ms > 0)
        book_open(guest, guest->used_ms + length_ms * (1 + world_random(4)) / 4);
}

static void
miss(const Guest *guest)
{
    ProtoLedgerRow row = {
        .kind = LEDGER_KIND_GAP,
        .has_segment = true,
        .segment = get_open(guest, RESOURCE_KIND_INSTANCE)->seq,
        .has_from_ms = true,
        .from_ms = guest->used_ms,
        .has_to_ms = true,
        .to_ms = life.now_ms,
    };

    row.cause = g_strdup("unread");
    if (is_on(guest) && guest->used_ms < life.now_ms)
        ledger_add(&row, life.now_ms);
}

void
life_act(void)
{
    Guest *guest =
        life.n_guests > 0 ? &life.guests[world_random(life.n_guests)] : life.guests;
    guint what = world_random(100);

    if (!guest->is_there || what < 15) {
        if (!guest->is_there && world_chance(FOUND_RATE))
            book_missing(guest);
        create();
    } else if (what < 20) {
        miss(guest);
    } else if (what < 60) {
        use(guest);
    } else if (what < 66) {
        flicker(guest);
    } else if (what < 92) {
        change(guest);
    } else {
        destroy(guest);
    }
}

void
life_remove_tenant(guint tenant)
{
    life.gone |= 1u << tenant;
    for (guint i = tenant; i < FACTS_INSTANCES; i += FACTS_TENANTS) {
        if (life.guests[i].is_there)
            destroy(&life.guests[i]);
    }
}
