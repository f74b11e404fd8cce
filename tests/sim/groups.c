/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/groups.h"

#include "sim/machine.h"
#include "sim/process.h"
#include "sim/world.h"

enum {
    /** Of four seeds so many have groups. */
    SEEDS = 2,
    OF_SEEDS = 4,
    NAMES = 2,
    MOST = 6,
    MEMBERS = 5,
    SICK_MAX = 300,
};

static const gint64 mebibyte = 1048576;

static struct {
    bool is_on;
    /** Request id to the number that it wanted. */
    GHashTable *counts;
    /** The set of names of those that were told to scale by themselves. */
    GHashTable *scaling;
} all;

static char *
make_name(void)
{
    return g_strdup_printf("set-%u", world_random(NAMES));
}

static gboolean
add_group(gpointer key, gpointer group, gpointer data)
{
    g_ptr_array_add(data, group);
    return FALSE;
}

/* One that is there, of the client's tenant unless that is NULL; or NULL. */
static const ProtoGroup *
find_group(const Client *client)
{
    g_autoptr(GPtrArray) groups = g_ptr_array_new();

    g_tree_foreach(process_get()->rpc.groups->by_name, add_group, groups);
    for (guint i = groups->len; client != NULL && i > 0; i--) {
        const Group *group = groups->pdata[i - 1];

        if (!client_is_of(client, group->record.view.tenant))
            g_ptr_array_remove_index(groups, i - 1);
    }
    if (groups->len == 0)
        return NULL;
    return &((const Group *) groups->pdata[world_random(groups->len)])->record.view;
}

/* Mostly of one that is there. */
static char *
choose_name(const Client *client)
{
    const ProtoGroup *group = world_chance(900) ? find_group(client) : NULL;

    return group != NULL ? g_strdup(group->name) : make_name();
}

char *
groups_choose_member(void)
{
    g_autofree char *name = choose_name(NULL);

    return g_strdup_printf("%s-%u", name, 1 + world_random(MEMBERS));
}

static char *
choose_template(void)
{
    return g_strdup(world_chance(500) ? "tiny" : "other");
}

static void
note_count(const char *request_id, gint64 count)
{
    if (request_id != NULL)
        g_hash_table_insert(all.counts, g_strdup(request_id), GINT_TO_POINTER(count));
}

static void
ask_create(Client *client)
{
    gint64 min = world_random(2);
    gint64 max = MAX(min, 1) + world_random(MOST);
    ProtoGroupCreateCall in = {
        .group = make_name(),
        .template = choose_template(),
        .has_vcpus = true,
        .vcpus = 1 + world_random(2),
        .has_memory_bytes = true,
        .memory_bytes = 256 * mebibyte,
        .has_min = true,
        .min = min,
        .max = max,
        .has_count = true,
        .count = min + world_random((guint) (max - min + 1)),
        .has_victims = true,
        .victims = (GroupVictims) world_random(GROUP_VICTIMS_N),
        .spread = world_chance(300) ? g_strdup("host") : NULL,
        .health = world_chance(500) ? g_strdup("agent") : NULL,
        .has_health_grace_ms = true,
        .health_grace_ms = world_random(20000),
        .has_health_interval_ms = true,
        .health_interval_ms = 1000 + world_random(4000),
        .request_id = client_make_id(),
    };

    note_count(in.request_id, in.count);
    client_ask(client, &proto_group_create, &in, in.request_id);
}

static void
ask_scale(Client *client)
{
    const ProtoGroup *group = world_chance(900) ? find_group(client) : NULL;
    ProtoGroupScaleCall in = {
        .group = group != NULL ? g_strdup(group->name) : make_name(),
        .count = world_random((guint) (group != NULL ? group->max : MOST) + 1),
        .request_id = client_make_id(),
    };

    note_count(in.request_id, in.count);
    client_ask(client, &proto_group_scale, &in, in.request_id);
}

/* To another template, back, or on with what halted. */
static void
ask_update(Client *client)
{
    guint way = world_random(4);
    ProtoGroupUpdateCall in = {
        .group = choose_name(client),
        .template = way > 1 ? choose_template() : NULL,
        .has_rollback = true,
        .rollback = way == 0,
        .has_batch = true,
        .batch = 1 + world_random(3),
        .has_max_unavailable = true,
        .max_unavailable = 1 + world_random(2),
        .request_id = client_make_id(),
    };

    client_ask(client, &proto_group_update, &in, in.request_id);
}

static void
ask_autoscale(Client *client)
{
    ProtoGroupAutoscaleCall in = {
        .group = choose_name(client),
        .metric = g_strdup("10"),
        .has_cooldown_out_ms = true,
        .cooldown_out_ms = world_random(10000),
        .has_cooldown_in_ms = true,
        .cooldown_in_ms = world_random(10000),
        .has_off = true,
        .off = world_chance(200),
    };

    g_hash_table_add(all.scaling, g_strdup(in.group));
    client_ask(client, &proto_group_autoscale, &in, NULL);
}

static void
ask_metric(Client *client)
{
    ProtoGroupMetricCall in = {
        .group = choose_name(client),
        .value = g_strdup_printf("%u", world_random(40)),
    };

    client_ask(client, &proto_group_metric, &in, NULL);
}

static void
ask_removal(Client *client)
{
    ProtoGroupRemoveCall in = { .group = choose_name(client),
                                .request_id = client_make_id() };

    client_ask(client, &proto_group_remove, &in, in.request_id);
}

/* Several changes of perhaps one group, the later ones in the midst of the first. */
static void
ask_much(Client *client)
{
    ask_scale(client);
    if (world_chance(500))
        ask_update(client);
    ask_scale(client);
    if (world_chance(100))
        ask_removal(client);
}

void
groups_act(Client *client)
{
    static const struct {
        guint weight;
        void (*ask)(Client *client);
    } acts[] = {
        { 10, ask_create }, { 25, ask_scale },  { 15, ask_update }, { 4, ask_autoscale },
        { 10, ask_metric }, { 3, ask_removal }, { 10, ask_much },
    };

    guint number = 0;

    if (find_group(client) == NULL && world_chance(700)) {
        ask_create(client);
        return;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(acts); i++) {
        number += acts[i].weight;
    }
    number = world_random(number);
    for (gsize i = 0; i < G_N_ELEMENTS(acts); i++) {
        if (number < acts[i].weight) {
            acts[i].ask(client);
            return;
        }
        number -= acts[i].weight;
    }
}

bool
groups_may_scale(const char *name)
{
    return g_hash_table_contains(all.scaling, name);
}

bool
groups_find_count(const char *request_id, gint64 *ret_count)
{
    gpointer count = NULL;
    bool found = request_id != NULL &&
                 g_hash_table_lookup_extended(all.counts, request_id, NULL, &count);

    if (found)
        *ret_count = GPOINTER_TO_INT(count);
    return found;
}

bool
groups_are_on(void)
{
    return all.is_on;
}

void
groups_begin(guint32 seed)
{
    all.is_on = seed % OF_SEEDS < SEEDS;
    all.counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    all.scaling = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (all.is_on && world_chance(500))
        machine_sicken(world_random(SICK_MAX));
}

void
groups_end(void)
{
    g_clear_pointer(&all.counts, g_hash_table_unref);
    g_clear_pointer(&all.scaling, g_hash_table_unref);
}
