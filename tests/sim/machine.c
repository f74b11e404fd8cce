/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/machine.h"

#include <string.h>

#include "sim/world.h"

enum {
    LATENCY_MS = 20,
    MACHINES = 3,
    STRANGERS = 3,
    HAPPENING_MS = 3000,
    LOST_MS = 3600000,
    SICK_MS = 30000,
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
    FAULT_LOSS,
    FAULTS,
} Fault;

static const guint rate_max[FAULTS] = {
    [FAULT_ERROR] = 100,      [FAULT_UNREACHABLE] = 60, [FAULT_SLOW] = 80,
    [FAULT_HANG] = 12,        [FAULT_EXIT] = 12,        [FAULT_EXIT_AFTER] = 12,
    [FAULT_DEAF] = 400,       [FAULT_EVENT_LOST] = 400, [FAULT_EVENT_TWICE] = 300,
    [FAULT_EVENT_LATE] = 400, [FAULT_GUEST] = 700,      [FAULT_OUTAGE] = 60,
    [FAULT_FREEZE] = 60,      [FAULT_LOSS] = 10,
};

typedef struct {
    char name[8];
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
    /** Of the worker that it serves. */
    void (*ended)(FakeHost *fake, gpointer data);
    gpointer ended_data;
} Machine;

static Machine *machines[MACHINES];
static guint n_machines;
static guint sick_rate;

/* Rules */

static ScriptRule *
add_rule(Machine *machine, gint64 delay_ms)
{
    ScriptRule *rule = g_new0(ScriptRule, 1);

    rule->delay_ms = delay_ms;
    rule->message = (char *) (gsize) "simulated";
    g_ptr_array_add(machine->rules, rule);
    return rule;
}

static bool
strikes(Machine *machine, Fault fault)
{
    bool struck = !machine->is_calm && world_chance(machine->rates[fault]);

    machine->n_faults += struck;
    return struck;
}

static const ScriptRule *
match_event(Machine *machine)
{
    ScriptRule *rule = NULL;

    if (strikes(machine, FAULT_EVENT_LOST)) {
        rule = add_rule(machine, 0);
        rule->hang = true;
    } else if (strikes(machine, FAULT_EVENT_TWICE)) {
        rule = add_rule(machine, world_random(LATENCY_MS));
        rule->twice = true;
    } else if (strikes(machine, FAULT_EVENT_LATE)) {
        rule = add_rule(machine, world_random(2000));
    }
    return rule;
}

/* It is done, and something failed all the same. */
static const ScriptRule *
match_resized(Machine *machine)
{
    ScriptRule *rule = NULL;

    if (strikes(machine, FAULT_ERROR)) {
        rule = add_rule(machine, 0);
        rule->error = (char *) (gsize) "HostFailed";
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
is_deaf(const Machine *machine, const char *id)
{
    return g_str_hash(id) % 1000 < machine->rates[FAULT_DEAF];
}

/* Whether it is depends on the guest and the time alone: it is told the same until then.
 */
static const ScriptRule *
match_sick(Machine *machine, const ProtoWorkerCheckHealthCall *in)
{
    gint64 spell = world_now_ms() / SICK_MS;
    g_autofree char *key = g_strdup_printf("%s %" G_GINT64_FORMAT, in->id, spell);

    if (machine->is_calm || g_str_hash(key) % 1000 >= sick_rate)
        return NULL;
    return add_rule(machine, 0);
}

static const char *
fail_call(Machine *machine, ScriptRule *rule, const char *method)
{
    if (touches_libvirt(method) && strikes(machine, FAULT_ERROR)) {
        rule->error = (char *) (gsize) "HostFailed";
        return "fails";
    }
    if (touches_libvirt(method) && strikes(machine, FAULT_UNREACHABLE)) {
        rule->error = (char *) (gsize) "HostUnreachable";
        return "finds no libvirt";
    }
    /* An import may take an hour: so long nobody would give up one that hangs. */
    if (strcmp(method, "ImportTemplate") != 0 && strikes(machine, FAULT_HANG)) {
        rule->hang = true;
        return "hangs";
    }
    if (strikes(machine, FAULT_EXIT)) {
        rule->exit = true;
        return "kills the worker";
    }
    if (strikes(machine, FAULT_EXIT_AFTER)) {
        rule->exit_after = true;
        return "kills the worker when done";
    }
    if (strikes(machine, FAULT_SLOW)) {
        rule->delay_ms += world_random(40000);
        return "is slow";
    }
    return "goes well";
}

static const ScriptRule *
match(const char *method, const void *in, gpointer data)
{
    Machine *machine = data;
    ScriptRule *rule = NULL;
    const char *fate = "finds libvirt away";

    if (strcmp(method, SCRIPT_EVENT) == 0)
        return match_event(machine);
    if (strcmp(method, SCRIPT_RESIZED) == 0)
        return match_resized(machine);
    if (strcmp(method, SCRIPT_SICK) == 0)
        return match_sick(machine, in);
    rule = add_rule(machine, 1 + world_random(LATENCY_MS));
    rule->delay_ms += MAX(machine->frozen_until_ms - world_now_ms(), 0);
    rule->late = world_chance(500);
    if (world_now_ms() < machine->out_until_ms && touches_libvirt(method)) {
        rule->error = (char *) (gsize) "HostUnreachable";
    } else if (strcmp(method, "Shutdown") == 0 &&
               is_deaf(machine, ((const ProtoWorkerShutdownCall *) in)->id)) {
        rule->deaf = true;
        fate = "is not heard";
    } else {
        fate = fail_call(machine, rule, method);
    }
    world_trace("host %s: %s %s", machine->name, method, fate);
    return rule;
}

/* Happenings */

static ProtoDomain *
choose_domain(const Machine *machine)
{
    g_autoptr(GPtrArray) all = fake_fleet_list(machine->fleet);
    ProtoDomain *domain = all->pdata[world_random(all->len)];

    if (machine_is_stranger(domain->id) || domain->state == DOMAIN_STATE_ABSENT)
        return NULL;
    return domain;
}

static void
tell(const Machine *machine, HostEventKind kind, const ProtoDomain *domain)
{
    if (machine->fake != NULL && world_now_ms() >= machine->out_until_ms)
        fake_host_tell(machine->fake, kind, domain);
}

static void
change_state(Machine *machine, ProtoDomain *domain, DomainState from, DomainState to)
{
    if (domain->state != from)
        return;
    world_trace("guest %s goes from %s to %s", domain->name, domain_state_to_string(from),
                domain_state_to_string(to));
    fake_fleet_set_state(machine->fleet, domain, to);
    tell(machine, HOST_EVENT_KIND_DOMAIN, domain);
}

/* Somebody removes it behind everybody's back. */
static void
vanish(Machine *machine, ProtoDomain *domain)
{
    const ProtoDomain gone = { .id = domain->id,
                               .tenant = domain->tenant,
                               .name = domain->name,
                               .state = DOMAIN_STATE_ABSENT };

    world_trace("domain %s vanishes", domain->name);
    tell(machine, HOST_EVENT_KIND_DOMAIN, &gone);
    fake_fleet_remove(machine->fleet, domain->id);
}

static void
happen_to_guest(Machine *machine)
{
    ProtoDomain *domain = choose_domain(machine);

    if (domain == NULL)
        return;
    switch (world_random(10)) {
    case 0:
        change_state(machine, domain, DOMAIN_STATE_RUNNING, DOMAIN_STATE_CRASHED);
        break;
    case 1:
        change_state(machine, domain, DOMAIN_STATE_RUNNING, DOMAIN_STATE_PAUSED);
        break;
    case 2:
        change_state(machine, domain, DOMAIN_STATE_PAUSED, DOMAIN_STATE_RUNNING);
        break;
    case 3:
        change_state(machine, domain, DOMAIN_STATE_STOPPED, DOMAIN_STATE_RUNNING);
        break;
    case 4:
        if (world_chance(150))
            vanish(machine, domain);
        break;
    case 5:
        domain->vcpus = 1 + world_random((guint) domain->vcpus);
        tell(machine, HOST_EVENT_KIND_DOMAIN, domain);
        break;
    default:
        change_state(machine, domain, DOMAIN_STATE_RUNNING, DOMAIN_STATE_STOPPED);
        break;
    }
}

static gboolean
come_back(gpointer data)
{
    Machine *machine = data;

    machine->back_source = 0;
    world_trace("host %s: libvirt is back", machine->name);
    tell(machine, HOST_EVENT_KIND_CONNECTED, NULL);
    return G_SOURCE_REMOVE;
}

static void
go_out(Machine *machine, guint length_ms)
{
    if (machine->back_source != 0)
        return;
    world_trace("host %s: libvirt goes for %u ms", machine->name, length_ms);
    tell(machine, HOST_EVENT_KIND_DISCONNECTED, NULL);
    machine->out_until_ms = world_now_ms() + length_ms;
    machine->back_source = g_timeout_add(length_ms, come_back, machine);
}

static gboolean
happen(gpointer data)
{
    Machine *machine = data;

    machine->happening_source =
        g_timeout_add(1 + world_random(HAPPENING_MS), happen, machine);
    if (strikes(machine, FAULT_GUEST))
        happen_to_guest(machine);
    if (strikes(machine, FAULT_OUTAGE))
        go_out(machine, 500 + world_random(60000));
    /* For as long as faults last. */
    if (strikes(machine, FAULT_LOSS))
        go_out(machine, LOST_MS);
    if (strikes(machine, FAULT_FREEZE)) {
        machine->frozen_until_ms = world_now_ms() + world_random(60000);
        world_trace("host %s: its worker answers nothing for a while", machine->name);
    }
    return G_SOURCE_REMOVE;
}

static void
reset(Machine *machine)
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

void
machine_reset(void)
{
    for (guint i = 0; i < n_machines; i++) {
        reset(machines[i]);
    }
}

/* The worker */

static Machine *
find(const char *name)
{
    for (guint i = 0; i < n_machines; i++) {
        if (g_strcmp0(machines[i]->name, name) == 0)
            return machines[i];
    }
    g_error("There is no machine %s", name);
}

static void
on_ended(FakeHost *fake, gpointer data)
{
    const Machine *machine = data;

    machine->ended(fake, machine->ended_data);
}

FakeHost *
machine_serve(const char *name,
              const int *fds,
              guint n_fds,
              void (*ended)(FakeHost *fake, gpointer data),
              gpointer data)
{
    Machine *machine = find(name);
    const FakeHostOptions options = {
        machine->fleet, &machine->figures, match, on_ended, NULL, machine,
    };

    world_trace("host %s: the worker starts", machine->name);
    machine->ended = ended;
    machine->ended_data = data;
    machine->frozen_until_ms = 0;
    machine->fake = fake_host_new(&options, fds, n_fds);
    return machine->fake;
}

void
machine_unserve(FakeHost *fake)
{
    if (fake == NULL)
        return;
    for (guint i = 0; i < n_machines; i++) {
        if (machines[i]->fake != fake)
            continue;
        world_trace("host %s: the worker ends", machines[i]->name);
        machines[i]->fake = NULL;
    }
    fake_host_free(fake, world_chance(500));
}

/* Strangers */

static void
add_strangers(Machine *machine)
{
    for (guint i = 0; i < STRANGERS; i++) {
        ProtoDomain *domain = NULL;

        machine->strangers[i] =
            g_strdup_printf("11111111-1111-4111-8111-%s%011u", machine->name, i);
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
    for (guint i = 0; i < n_machines; i++) {
        for (guint j = 0; j < STRANGERS; j++) {
            if (strcmp(machines[i]->strangers[j], id) == 0)
                return true;
        }
    }
    return false;
}

void
machine_check_strangers(void)
{
    for (guint i = 0; i < n_machines; i++) {
        for (guint j = 0; j < STRANGERS; j++) {
            const char *id = machines[i]->strangers[j];
            const ProtoDomain *domain = fake_fleet_find(machines[i]->fleet, id);

            if (domain == NULL || domain->state != DOMAIN_STATE_RUNNING)
                world_blame("domain %s, which is not ours, was touched", id);
        }
    }
}

/* Life */

static Machine *
machine_new(guint index)
{
    Machine *machine = g_new0(Machine, 1);

    g_snprintf(machine->name, sizeof machine->name, "%c", 'a' + (char) index);
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
    add_strangers(machine);
    machine->happening_source = g_timeout_add(HAPPENING_MS, happen, machine);
    return machine;
}

static void
machine_free(Machine *machine)
{
    g_clear_handle_id(&machine->happening_source, g_source_remove);
    g_clear_handle_id(&machine->back_source, g_source_remove);
    g_ptr_array_unref(machine->rules);
    fake_fleet_free(machine->fleet);
    for (guint i = 0; i < STRANGERS; i++) {
        g_free(machine->strangers[i]);
    }
    g_free(machine);
}

void
machine_begin(void)
{
    n_machines = world_chance(300) ? 1 : MACHINES;
    for (guint i = 0; i < n_machines; i++) {
        machines[i] = machine_new(i);
    }
}

void
machine_end(void)
{
    for (guint i = 0; i < n_machines; i++) {
        g_clear_pointer(&machines[i], machine_free);
    }
    n_machines = sick_rate = 0;
}

void
machine_sicken(guint per_mille)
{
    sick_rate = per_mille;
}

static void
calm(Machine *machine)
{
    machine->is_calm = true;
    machine->frozen_until_ms = 0;
    if (machine->back_source != 0) {
        g_source_remove(machine->back_source);
        machine->out_until_ms = 0;
        come_back(machine);
    }
}

void
machine_calm(void)
{
    world_trace("faults end");
    for (guint i = 0; i < n_machines; i++) {
        calm(machines[i]);
    }
}

FakeFleet *
machine_get_fleet(const char *name)
{
    return find(name)->fleet;
}

const char *
machine_get_name(guint index)
{
    return index < n_machines ? machines[index]->name : NULL;
}

guint
machine_count_faults(void)
{
    guint count = 0;

    for (guint i = 0; i < n_machines; i++) {
        count += machines[i]->n_faults;
    }
    return count;
}
