/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/metering/history.h"

#include "base/clock.h"
#include "instance/create.h"
#include "instance/resize.h"
#include "sim/metering/guests.h"
#include "sim/metering/host.h"
#include "sim/metering/image.h"
#include "sim/metering/oracle.h"
#include "sim/metering/thread.h"
#include "sim/metering/vmd.h"
#include "sim/world.h"
#include "store/anchor.h"

/*
 * A seed's life: instances are made, changed and destroyed, guests do as they like, the
 * host and the clocks fail, and vmd dies at writes; then quiet, in which every operation
 * ends and every guest is read; then the oracle looks, before and after one more death.
 */

enum {
    ACTS_LEAST = 8,
    ACTS = 24,
    GUESTS = 4,
    NAMES = 6,
    UID = 1000,
    DEATH_WRITES = 60,
    DOWN_MS = 5000,
    HOUR_MS = 3600 * 1000,
    OUTAGE_MS = 4 * 3600 * 1000,
    /** A stop may take a minute, a call that hangs two. */
    QUIET_MS = 600000,
    LISTED_MS = 65000,
    /* In a thousand. */
    NOTE_RATE = 60,
    COPY_RATE = 20,
};

static const gint64 mebibyte = 1048576;

static struct {
    guint n_names;
    guint n_deaths;
    guint death_rate;
    guint power_rate;
    guint jump_rate;
    guint guest_rate;
    guint n_forks;
    /** The database, from before; NULL if it is not to be put back. */
    GHashTable *copy;
} fate;

/* Life and death of vmd */

static bool
is_dead(gpointer data)
{
    return image_is_dead();
}

static void
start(void)
{
    vmd_start();
    while (vmd_get() == NULL && world_count_faults() == 0) {
        fate.n_deaths++;
        vmd_start();
    }
}

static void
die(bool power_goes)
{
    bool is_long = world_chance(100);

    fate.n_deaths++;
    vmd_kill();
    if (power_goes) {
        guests_lose_power();
        world_boot();
    }
    world_run(NULL, NULL, 1 + world_random(is_long ? OUTAGE_MS : DOWN_MS));
    start();
}

/* Passes time; vmd may die in it. */
static void
pass(gint64 ms)
{
    gint64 end_ms = world_now_ms() + ms;

    while (world_now_ms() < end_ms && world_count_faults() == 0) {
        if (world_run(is_dead, NULL, end_ms - world_now_ms()))
            die(false);
    }
}

/* What tenants ask for */

static OperationRequest
make_request(OperationKind kind, const char *tenant)
{
    return (OperationRequest){ .kind = kind, .tenant = tenant, .uid = UID };
}

static void
ask_create(InstanceBook *book)
{
    g_autofree char *name = g_strdup_printf("guest-%u", fate.n_names++ % NAMES);
    const char *tenant = world_chance(500) ? "red" : "blue";
    ProtoInstanceCreateCall in = { .name = name };
    OperationRequest request = make_request(OPERATION_KIND_INSTANCE_CREATE, tenant);
    g_auto(CreatePlan) plan = { 0 };
    StoreTx *tx = NULL;

    if (g_hash_table_size(book->by_id) >= GUESTS ||
        !create_plan(book, &in, NULL, &request, &plan, NULL) || plan.error != NULL)
        return;
    world_trace("ask: create %s", name);
    tx = store_begin(book->store);
    g_ptr_array_unref(create_admit(book, tx, &plan, &in, NULL, &request));
    store_commit(tx);
}

static Instance *
choose_instance(InstanceBook *book)
{
    guint size = (guint) g_tree_nnodes(book->by_name);
    guint number = size > 0 ? world_random(size) : 0;
    GTreeNode *node = g_tree_node_first(book->by_name);

    while (node != NULL && number-- > 0) {
        node = g_tree_node_next(node);
    }
    return node != NULL ? g_tree_node_value(node) : NULL;
}

static bool
plan_size(Instance *instance, ProtoSize *ret_old, ProtoSize *ret_new)
{
    const ProtoInstance *view = &instance->record.view;
    ProtoInstanceResizeCall in = {
        .has_vcpus = true,
        .vcpus = 1 + world_random(8),
        .has_memory_bytes = world_chance(500),
        .memory_bytes = (256 + world_random(1024)) * mebibyte,
        .has_disk_bytes = world_chance(300),
        .disk_bytes = view->disk_bytes + world_random(1024) * mebibyte,
    };

    *ret_old = (ProtoSize){ view->vcpus, view->memory_bytes, view->disk_bytes };
    return resize_plan(instance, &in, ret_new, NULL);
}

static void
ask(InstanceBook *book, OperationKind kind)
{
    Instance *instance = choose_instance(book);
    OperationRequest request = { 0 };
    ProtoSize sizes[2] = { 0 };
    g_autoptr(Admission) admission = NULL;
    Operation *operation = NULL;
    StoreTx *tx = NULL;

    if (instance == NULL || !instance_permit(instance, kind, NULL) ||
        (kind == OPERATION_KIND_INSTANCE_RESIZE &&
         !plan_size(instance, &sizes[0], &sizes[1])))
        return;
    world_trace("ask: %s %s", operation_kind_to_string(kind), instance->record.view.name);
    request = make_request(kind, instance->record.view.tenant);
    request.target = instance->record.view.id;
    request.target_name = instance->record.view.name;
    request.force = world_chance(500);
    if (kind == OPERATION_KIND_INSTANCE_RESIZE) {
        request.old_size = &sizes[0];
        request.new_size = &sizes[1];
    }
    admission = admission_ask(book->engine, &request, 1, NULL);
    if (admission == NULL)
        return;
    tx = store_begin(book->store);
    operation = operation_admit(admission, tx, &request);
    instance->record.view.operation = g_strdup(operation->record.view.id);
    store_commit(tx);
}

static void
ask_something(void)
{
    static const OperationKind kinds[] = {
        OPERATION_KIND_INSTANCE_START,   OPERATION_KIND_INSTANCE_START,
        OPERATION_KIND_INSTANCE_STOP,    OPERATION_KIND_INSTANCE_STOP,
        OPERATION_KIND_INSTANCE_RESTART, OPERATION_KIND_INSTANCE_PAUSE,
        OPERATION_KIND_INSTANCE_RESUME,  OPERATION_KIND_INSTANCE_RESIZE,
        OPERATION_KIND_INSTANCE_RESIZE,  OPERATION_KIND_INSTANCE_DESTROY,
    };
    InstanceBook *book = vmd_get()->rpc.instances;

    if (world_chance(g_hash_table_size(book->by_id) < 2 ? 700 : 200)) {
        ask_create(book);
    } else {
        ask(book, kinds[world_random(G_N_ELEMENTS(kinds))]);
    }
}

/* What guests do by themselves, and what others do to them */

static Guest *
choose_guest(void)
{
    const GPtrArray *all = guests_get_all();
    Guest *guest = all->len > 0 ? all->pdata[world_random(all->len)] : NULL;

    return guest != NULL && !guest->is_gone ? guest : NULL;
}

static void
move(Guest *guest, DomainState from, DomainState to)
{
    if (guest->state == from)
        guest_set_state(guest, to);
}

static void
happen(void)
{
    Guest *guest = choose_guest();

    if (guest == NULL)
        return;
    switch (world_random(8)) {
    case 0:
        move(guest, DOMAIN_STATE_RUNNING, DOMAIN_STATE_CRASHED);
        break;
    case 1:
        move(guest, DOMAIN_STATE_RUNNING, DOMAIN_STATE_PAUSED);
        break;
    case 2:
        move(guest, DOMAIN_STATE_PAUSED, DOMAIN_STATE_RUNNING);
        break;
    case 3:
        move(guest, DOMAIN_STATE_RUNNING, DOMAIN_STATE_STOPPED);
        break;
    case 4:
        move(guest, DOMAIN_STATE_STOPPED, DOMAIN_STATE_RUNNING);
        break;
    case 5:
        /* Off and on again before anybody looks. */
        if (guest_is_active(guest)) {
            guest_set_state(guest, DOMAIN_STATE_STOPPED);
            guest_set_state(guest, DOMAIN_STATE_RUNNING);
        }
        break;
    case 6:
        if (guest_is_active(guest))
            guest_set_size(guest, 1 + world_random(4), guest->memory_bytes);
        break;
    default:
        if (guest_is_active(guest))
            guest_change_pace(guest);
    }
}

static void
jump(void)
{
    static const gint64 jumps_ms[] = {
        -3600000, 3600000, -1000, 1000, 200, -864000000, 864000000,
    };

    world_jump_wall(jumps_ms[world_random(G_N_ELEMENTS(jumps_ms))]);
}

/* The plot */

static void
add_template(void)
{
    ProtoTemplateRecord record = {
        .view = { .id = (char *) (gsize) "7e3a11e0-0000-4000-8000-000000000001",
                  .name = (char *) (gsize) "tiny",
                  .version = (char *) (gsize) "1",
                  .description = (char *) (gsize) "",
                  .arch = (char *) (gsize) "x86_64",
                  .login_user = (char *) (gsize) "root",
                  .minimum = { 1, 16 * mebibyte, mebibyte },
                  .default_ = { 1, 256 * mebibyte, 1024 * mebibyte },
                  .sha256 = (char *) (gsize) "",
                  .created_at = (char *) (gsize) "2026-01-01T00:00:00.000Z" },
        .source = (char *) (gsize) "tiny",
    };
    StoreTx *tx = store_begin(vmd_get()->rpc.store);

    template_take_up(vmd_get()->rpc.templates, tx, &record, "sim");
    store_commit(tx);
}

static gint64
choose_pause(void)
{
    const gint64 longest_ms[] = { 50, 3000, vmd_get_tick_ms(), 3 * vmd_get_tick_ms() };

    return 1 + world_random((guint) longest_ms[world_random(G_N_ELEMENTS(longest_ms))]);
}

static void
choose_fate(void)
{
    fate.n_names = fate.n_deaths = fate.n_forks = 0;
    fate.copy = NULL;
    fate.death_rate = world_chance(600) ? world_random(300) : 0;
    /* Not both: a clock that is set while the machine is off cannot be told from time. */
    fate.power_rate = world_chance(200) ? world_random(100) : 0;
    fate.jump_rate = fate.power_rate == 0 && world_chance(350) ? world_random(150) : 0;
    fate.guest_rate = world_chance(800) ? world_random(700) : 0;
}

/* An entry of the books: the anchor is written behind it. */
static void
add_note(void)
{
    InstanceBook *book = vmd_get()->rpc.instances;
    StoreTx *tx = NULL;

    instance_book_follow_clock(book);
    tx = store_begin(book->store);
    ledger_add_note(book->store, tx, "card", NULL, "{}");
    store_commit(tx);
}

/* The database is put back to an older copy of itself.  What the anchor knows and the
 * copy does not is missed, and nothing else is. */
static void
put_back(GHashTable *copy)
{
    Store *store = NULL;
    LedgerHead anchored = { 0 };
    LedgerHead head = { 0 };
    g_autofree char *id = g_strdup(store_get_service_id(vmd_get()->rpc.store));
    bool found = false;
    gint64 n_rows = 0;

    vmd_kill();
    if (!anchor_read(image_get_anchor(), id, &found, &anchored, NULL))
        world_blame("the anchor cannot be read");
    image_put_back(copy);
    world_expect("put back to an older copy");
    vmd_start();
    store = vmd_get()->rpc.store;
    head = store_get_ledger_head(store);
    n_rows = head.forked_seq != 0 ? head.forked_seq - 1 : head.seq;
    world_trace("put back to row %" G_GINT64_FORMAT ", the anchor at %" G_GINT64_FORMAT,
                n_rows, anchored.seq);
    if ((head.forked_seq != 0) != (anchored.seq > n_rows))
        world_blame("put back to row %" G_GINT64_FORMAT
                    ", the anchor at %" G_GINT64_FORMAT ": the fork is %s",
                    n_rows, anchored.seq, head.forked_seq != 0 ? "invented" : "missed");
    fate.n_forks += head.forked_seq != 0;
    world_run(NULL, NULL, 2 * vmd_get_tick_ms());
    oracle_check_chain();
}

static void
run_load(void)
{
    guint acts = ACTS_LEAST + world_random(ACTS);

    for (guint i = 0; i < acts && world_count_faults() == 0; i++) {
        if (world_chance(fate.death_rate))
            image_die_at(1 + world_random(DEATH_WRITES));
        if (world_chance(fate.guest_rate)) {
            happen();
        } else {
            ask_something();
        }
        if (world_chance(fate.jump_rate))
            jump();
        if (world_chance(NOTE_RATE))
            add_note();
        if (fate.copy == NULL && world_chance(COPY_RATE))
            fate.copy = image_copy();
        pass(choose_pause());
        if (world_chance(fate.power_rate))
            die(true);
    }
}

static bool
is_idle(gpointer data)
{
    return vmd_is_idle();
}

static void
run_quiet(void)
{
    image_die_at(0);
    host_calm();
    if (!world_run(is_idle, NULL, QUIET_MS))
        world_blame("operations do not end");
    world_run(NULL, NULL, LISTED_MS + 2 * vmd_get_tick_ms());
}

/* Shortly before the end of an hour, which is that of a day and a month too. */
static void
begin(guint32 seed, bool verbose)
{
    world_begin(seed, verbose);
    world_jump_wall(-(gint64) world_random(HOUR_MS));
    image_begin();
    thread_begin();
    guests_begin();
    oracle_begin();
    host_begin();
    vmd_begin();
    choose_fate();
    vmd_start();
    add_template();
    pass(100);
}

static void
end(Counts *counts)
{
    const GPtrArray *all = guests_get_all();

    vmd_kill();
    counts->guests += all->len;
    counts->deaths += fate.n_deaths;
    counts->forks += fate.n_forks;
    g_clear_pointer(&fate.copy, g_hash_table_unref);
    for (guint i = 0; i < all->len; i++) {
        counts->lives += ((const Guest *) all->pdata[i])->lives->len;
    }
    oracle_end();
    guests_end();
    image_end();
}

bool
history_run(guint32 seed, bool verbose, Counts *counts, guint64 *ret_hash)
{
    bool good = false;

    begin(seed, verbose);
    run_load();
    if (world_count_faults() == 0) {
        run_quiet();
        oracle_check();
        vmd_kill();
        vmd_start();
        run_quiet();
        oracle_check();
        if (fate.copy != NULL && world_count_faults() == 0)
            put_back(g_steal_pointer(&fate.copy));
    }
    end(counts);
    counts->rows = oracle_count_rows();
    good = world_count_faults() == 0;
    *ret_hash = world_hash();
    world_end();
    return good;
}
