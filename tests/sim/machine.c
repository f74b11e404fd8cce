/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/machine.h"

#include <string.h>

#include "sim/world.h"

enum {
    LATENCY_MS = 20,
    STRANGERS = 3,
    HAPPENING_MS = 3000,
};

static const gint64 gibibyte = 1073741824;

/** What can go wrong with a call; each seed has its own rates, in a thousand. */
typedef enum {
    FAULT_ERROR,
    FAULT_UNREACHABLE,
    FAULT_SLOW,
    FAULT_HANG,
    FAULT_EXIT,
    FAULT_EXIT_AFTER,
    FAULT_DEAF,
    FAULT_EVENT_LOST,
    FAULT_EVENT_TWICE,
    FAULT_EVENT_LATE,
    FAULT_GUEST,
    FAULT_OUTAGE,
    FAULT_FREEZE,
    FAULTS,
} Fault;

static const guint rate_max[FAULTS] = {
    [FAULT_ERROR] = 100,      [FAULT_UNREACHABLE] = 60, [FAULT_SLOW] = 80,
    [FAULT_HANG] = 12,        [FAULT_EXIT] = 12,        [FAULT_EXIT_AFTER] = 12,
    [FAULT_DEAF] = 400,       [FAULT_EVENT_LOST] = 400, [FAULT_EVENT_TWICE] = 300,
    [FAULT_EVENT_LATE] = 400, [FAULT_GUEST] = 700,      [FAULT_OUTAGE] = 60,
    [FAULT_FREEZE] = 60,
};

typedef struct {
    FakeFleet *fleet;
    ScriptFigures figures;
    FakeHost *fake;
    guint rates[FAULTS];
    bool is_calm;
    /** libvirt is gone, and nothing answers, until then. */
    gint64 out_until_ms;
    gint64 frozen_until_ms;
    guint back_source;
    guint happening_source;
    guint n_faults;
    /** The rules of calls: they live as long as the machine. */
    GPtrArray *rules;
    char *strangers[STRANGERS];
} Machine;

static Machine *machine;

/* Rules */

static ScriptRule *
add_rule(gint64 delay_ms)
{
    ScriptRule *rule = g_new0(ScriptRule, 1);

    rule->delay_ms = delay_ms;
    rule->message = (char *) (gsize) "simulated";
    g_ptr_array_add(machine->rules, rule);
    return rule;
}

static bool
strikes(Fault fault)
{
    bool struck = !machine->is_calm && world_chance(machine->rates[fault]);

    machine->n_faults += struck;
    return struck;
}

static const ScriptRule *
match_event(void)
{
    ScriptRule *rule = NULL;

    if (strikes(FAULT_EVENT_LOST)) {
        rule = add_rule(0);
        rule->hang = true;
    } else if (strikes(FAULT_EVENT_TWICE)) {
        rule = add_rule(world_random(LATENCY_MS));
        rule->twice = true;
    } else if (strikes(FAULT_EVENT_LATE)) {
        rule = add_rule(world_random(2000));
    }
    return rule;
}

static bool
touches_libvirt(const char *method)
{
    return strcmp(method, "Ping") != 0 && strcmp(method, "Watch") != 0;
}

/* Some guests never power off when they are asked to, whatever the time. */
static bool
is_deaf(const char *id)
{
    return g_str_hash(id) % 1000 < machine->rates[FAULT_DEAF];
}

static const char *
fail_call(ScriptRule *rule, const char *method)
{
    if (touches_libvirt(method) && strikes(FAULT_ERROR)) {
        rule->error = (char *) (gsize) "HostFailed";
        return "fails";
    }
    if (touches_libvirt(method) && strikes(FAULT_UNREACHABLE)) {
        rule->error = (char *) (gsize) "HostUnreachable";
        return "finds no libvirt";
    }
    /* An import may take an hour: so long nobody would give up one that hangs. */
    if (strcmp(method, "ImportTemplate") != 0 && strikes(FAULT_HANG)) {
        rule->hang = true;
        return "hangs";
    }
    if (strikes(FAULT_EXIT)) {
        rule->exit = true;
        return "kills the worker";
    }
    if (strikes(FAULT_EXIT_AFTER)) {
        rule->exit_after = true;
        return "kills the worker when done";
    }
    if (strikes(FAULT_SLOW)) {
        rule->delay_ms += world_random(40000);
        return "is slow";
    }
    return "goes well";
}

static const ScriptRule *
match(const char *method, const void *in, gpointer data)
{
    ScriptRule *rule = NULL;
    const char *fate = "finds libvirt away";

    if (strcmp(method, SCRIPT_EVENT) == 0)
        return match_event();
    rule = add_rule(1 + world_random(LATENCY_MS));
    rule->delay_ms += MAX(machine->frozen_until_ms - world_now_ms(), 0);
    if (world_now_ms() < machine->out_until_ms && touches_libvirt(method)) {
        rule->error = (char *) (gsize) "HostUnreachable";
    } else if (strcmp(method, "Shutdown") == 0 &&
               is_deaf(((const ProtoWorkerShutdownCall *) in)->id)) {
        rule->deaf = true;
        fate = "is not heard";
    } else {
        fate = fail_call(rule, method);
    }
    world_trace("host: %s %s", method, fate);
    return rule;
}

/* Happenings */

static ProtoDomain *
choose_domain(void)
{
    g_autoptr(GPtrArray) all = fake_fleet_list(machine->fleet);
    ProtoDomain *domain = all->pdata[world_random(all->len)];

    if (machine_is_stranger(domain->id) || domain->state == DOMAIN_STATE_ABSENT)
        return NULL;
    return domain;
}

static void
tell(HostEventKind kind, const ProtoDomain *domain)
{
    if (machine->fake != NULL && world_now_ms() >= machine->out_until_ms)
        fake_host_tell(machine->fake, kind, domain);
}

static void
change_state(ProtoDomain *domain, DomainState from, DomainState to)
{
    if (domain->state != from)
        return;
    world_trace("guest %s goes from %s to %s", domain->name, domain_state_to_string(from),
                domain_state_to_string(to));
    fake_fleet_set_state(machine->fleet, domain, to);
    tell(HOST_EVENT_KIND_DOMAIN, domain);
}

/* Somebody removes it behind everybody's back. */
static void
vanish(ProtoDomain *domain)
{
    const ProtoDomain gone = { .id = domain->id,
                               .tenant = domain->tenant,
                               .name = domain->name,
                               .state = DOMAIN_STATE_ABSENT };

    world_trace("domain %s vanishes", domain->name);
    tell(HOST_EVENT_KIND_DOMAIN, &gone);
    fake_fleet_remove(machine->fleet, domain->id);
}

static void
happen_to_guest(void)
{
    ProtoDomain *domain = choose_domain();

    if (domain == NULL)
        return;
    switch (world_random(10)) {
    case 0:
        change_state(domain, DOMAIN_STATE_RUNNING, DOMAIN_STATE_CRASHED);
        break;
    case 1:
        change_state(domain, DOMAIN_STATE_RUNNING, DOMAIN_STATE_PAUSED);
        break;
    case 2:
        change_state(domain, DOMAIN_STATE_PAUSED, DOMAIN_STATE_RUNNING);
        break;
    case 3:
        change_state(domain, DOMAIN_STATE_STOPPED, DOMAIN_STATE_RUNNING);
        break;
    case 4:
        if (world_chance(150))
            vanish(domain);
        break;
    case 5:
        domain->vcpus = 1 + world_random((guint) domain->vcpus);
        tell(HOST_EVENT_KIND_DOMAIN, domain);
        break;
    default:
        change_state(domain, DOMAIN_STATE_RUNNING, DOMAIN_STATE_STOPPED);
        break;
    }
}

static gboolean
come_back(gpointer data)
{
    machine->back_source = 0;
    world_trace("libvirt is back");
    tell(HOST_EVENT_KIND_CONNECTED, NULL);
    return G_SOURCE_REMOVE;
}

static void
go_out(void)
{
    guint length_ms = 500 + world_random(60000);

    if (machine->back_source != 0)
        return;
    world_trace("libvirt goes for %u ms", length_ms);
    tell(HOST_EVENT_KIND_DISCONNECTED, NULL);
    machine->out_until_ms = world_now_ms() + length_ms;
    machine->back_source = g_timeout_add(length_ms, come_back, NULL);
}

static gboolean
happen(gpointer data)
{
    machine->happening_source =
        g_timeout_add(1 + world_random(HAPPENING_MS), happen, NULL);
    if (strikes(FAULT_GUEST))
        happen_to_guest();
    if (strikes(FAULT_OUTAGE))
        go_out();
    if (strikes(FAULT_FREEZE)) {
        machine->frozen_until_ms = world_now_ms() + world_random(60000);
        world_trace("the worker answers nothing for a while");
    }
    return G_SOURCE_REMOVE;
}

void
machine_reset(void)
{
    g_autoptr(GPtrArray) all = fake_fleet_list(machine->fleet);

    for (guint i = 0; i < all->len; i++) {
        ProtoDomain *domain = all->pdata[i];

        if (domain->state != DOMAIN_STATE_ABSENT && !machine_is_stranger(domain->id))
            fake_fleet_set_state(machine->fleet, domain, DOMAIN_STATE_STOPPED);
    }
    g_clear_handle_id(&machine->back_source, g_source_remove);
    machine->out_until_ms = machine->frozen_until_ms = 0;
}

/* The worker */

FakeHost *
machine_serve(const int *fds,
              guint n_fds,
              void (*ended)(FakeHost *fake, gpointer data),
              gpointer data)
{
    const FakeHostOptions options = {
        machine->fleet, &machine->figures, match, ended, NULL, data,
    };

    world_trace("the worker starts");
    machine->frozen_until_ms = 0;
    machine->fake = fake_host_new(&options, fds, n_fds);
    return machine->fake;
}

void
machine_unserve(FakeHost *fake)
{
    if (fake == NULL)
        return;
    world_trace("the worker ends");
    machine->fake = NULL;
    fake_host_free(fake, world_chance(500));
}

/* Strangers */

static void
add_strangers(void)
{
    for (guint i = 0; i < STRANGERS; i++) {
        ProtoDomain *domain = NULL;

        machine->strangers[i] = g_strdup_printf("11111111-1111-4111-8111-%012u", i);
        domain = fake_fleet_ensure(machine->fleet, machine->strangers[i]);
        g_free(domain->name);
        domain->name = g_strdup_printf("stranger-%u", i);
        domain->state = DOMAIN_STATE_RUNNING;
        domain->agent = true;
        domain->vcpus = 1;
        domain->memory_bytes = gibibyte;
    }
}

bool
machine_is_stranger(const char *id)
{
    for (guint i = 0; i < STRANGERS; i++) {
        if (strcmp(machine->strangers[i], id) == 0)
            return true;
    }
    return false;
}

void
machine_check_strangers(void)
{
    for (guint i = 0; i < STRANGERS; i++) {
        const ProtoDomain *domain =
            fake_fleet_find(machine->fleet, machine->strangers[i]);

        if (domain == NULL || domain->state != DOMAIN_STATE_RUNNING)
            world_blame("domain %s, which is not ours, was touched",
                        machine->strangers[i]);
    }
}

/* Life */

void
machine_begin(void)
{
    machine = g_new0(Machine, 1);
    machine->fleet = fake_fleet_open(NULL, NULL);
    machine->figures = (ScriptFigures){
        .vcpus = 8 + world_random(32),
        .memory_bytes = (8 + world_random(64)) * gibibyte,
        .disk_bytes = (64 + world_random(512)) * gibibyte,
        .agent_ms = 20 + world_random(5000),
        .live_resize = world_chance(500),
    };
    machine->rules = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < FAULTS; i++) {
        machine->rates[i] = world_chance(500) ? world_random(rate_max[i]) : 0;
    }
    add_strangers();
    machine->happening_source = g_timeout_add(HAPPENING_MS, happen, NULL);
}

void
machine_end(void)
{
    g_clear_handle_id(&machine->happening_source, g_source_remove);
    g_clear_handle_id(&machine->back_source, g_source_remove);
    g_ptr_array_unref(machine->rules);
    fake_fleet_free(machine->fleet);
    for (guint i = 0; i < STRANGERS; i++) {
        g_free(machine->strangers[i]);
    }
    g_clear_pointer(&machine, g_free);
}

void
machine_calm(void)
{
    world_trace("faults end");
    machine->is_calm = true;
    machine->frozen_until_ms = 0;
    if (machine->back_source != 0) {
        g_source_remove(machine->back_source);
        machine->out_until_ms = 0;
        come_back(NULL);
    }
}

FakeFleet *
machine_get_fleet(void)
{
    return machine->fleet;
}

guint
machine_count_faults(void)
{
    return machine->n_faults;
}
