/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/groups-oracle.h"

#include <string.h>

#include "base/clock.h"
#include "group/keep.h"
#include "sim/groups.h"
#include "sim/process.h"
#include "sim/world.h"
#include "tenant/gate.h"

enum {
    /** No more than one proof falls into a span, which forgets the failures before it. */
    SPAN_MS = 10000,
    /** What clients do in a span, the clock and kills among it, has members made too. */
    SPAN_ACTS = 20,
};

/** What is remembered of a group from one turn to the next. */
typedef struct {
    /** Members as they were counted in this turn. */
    gint64 n_members;
    /** Those that were made since then. */
    gint64 span_ms;
    gint64 n_made;
    gint64 open_until_ms;
    /** All that were wanted were up, and what happened since was its own doing. */
    bool was_whole;
    gint64 n_in_service;
    gint64 wanted;
    gint64 max_unavailable;
    char *template_id;
} Track;

static struct {
    /** Group id to Track. */
    GHashTable *tracks;
    /** The sets of ids of members that were ever seen, of those that served once, of
     * those at the last rest, of groups whose removal is on disk, and of those that are
     * removed. */
    GHashTable *known;
    GHashTable *served;
    GHashTable *resting;
    GHashTable *removing;
    GHashTable *gone;
    gint64 wall_offset_ms;
    /** Once is enough. */
    guint n_blamed;
} all;

static void
track_free(gpointer data)
{
    Track *track = data;

    g_free(track->template_id);
    g_free(track);
}

static GHashTable *
new_set(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static Track *
get_track(const char *group)
{
    Track *track = g_hash_table_lookup(all.tracks, group);

    if (track == NULL) {
        track = g_new0(Track, 1);
        track->template_id = g_strdup("");
        g_hash_table_insert(all.tracks, g_strdup(group), track);
    }
    return track;
}

static GroupBook *
get_book(void)
{
    return process_get()->rpc.groups;
}

/* Nothing runs away */

static void
check_pace(const Group *group, Track *track)
{
    gint64 most =
        (group->book->patience.failures * 2 + SPAN_ACTS) * group->record.view.max;

    if (world_now_ms() - track->span_ms >= SPAN_MS) {
        track->span_ms = world_now_ms();
        track->n_made = 0;
    }
    if (++track->n_made > most)
        world_blame("group %s runs away: it made %" G_GINT64_FORMAT " members in a while",
                    group->record.view.name, track->n_made);
}

static void
take_new(const Group *group, Track *track, const Instance *instance)
{
    const char *id = instance->record.view.id;

    if (!g_hash_table_add(all.known, g_strdup(id)))
        return;
    check_pace(group, track);
    if (track->open_until_ms != 0 &&
        track->open_until_ms == group->record.open_until_ms &&
        group->record.failed_ms <= clock_wall_ms() &&
        clock_wall_ms() < track->open_until_ms)
        world_blame("group %s made %s while its breaker is open", group->record.view.name,
                    instance->record.view.name);
}

/* Who belongs to whom */

static void
check_member(Instance *instance, GHashTable *names)
{
    const ProtoInstance *view = &instance->record.view;
    const char *id = instance->record.group;
    Group *group = id != NULL ? group_get(get_book(), id) : NULL;
    Track *track = NULL;

    if (!g_hash_table_add(names, g_strdup_printf("%s/%s", view->tenant, view->name)))
        world_blame("two instances of %s are called %s", view->tenant, view->name);
    if (id != NULL && group == NULL)
        world_blame("instance %s is of a group that is not there", view->name);
    if (group == NULL)
        return;
    if (!g_hash_table_contains(group->members, instance))
        world_blame("group %s does not know %s", group->record.view.name, view->name);
    if (strcmp(instance->record.template_id, group->record.template_id) != 0 &&
        !group->record.view.rolling && !group->record.removing)
        world_blame("instance %s is outdated, and %s is not updated", view->name,
                    group->record.view.name);
    track = get_track(id);
    track->n_members++;
    take_new(group, track, instance);
}

static void
check_members(void)
{
    g_autoptr(GHashTable) names = new_set();
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, all.tracks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        ((Track *) value)->n_members = 0;
    }
    g_hash_table_iter_init(&iter, process_get()->rpc.instances->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        check_member(value, names);
    }
}

/* Nobody is taken that is wanted */

/* By itself, or by others than the group; what the group does has no request id. */
static bool
is_disturbed(Instance *instance, GroupPhase phase)
{
    const Operation *change =
        operation_find_newest(instance->book->engine, instance->record.view.id);
    const ProtoOperation *view = change != NULL ? &change->record.view : NULL;

    if (phase == GROUP_PHASE_SICK || phase == GROUP_PHASE_DEAD ||
        (phase == GROUP_PHASE_COMING &&
         g_hash_table_contains(all.served, instance->record.view.id)))
        return true;
    return view != NULL && view->kind != OPERATION_KIND_INSTANCE_CREATE &&
           (view->kind != OPERATION_KIND_INSTANCE_DESTROY || view->request_id != NULL);
}

/* Counts those that serve; false if something is wrong that the group did not do. */
static bool
count_in_service(const Group *group, gint64 *ret_count)
{
    const ProtoGroup *view = &group->record.view;
    bool is_well = view->failures == 0 && !view->halted && !group->record.removing;
    gint64 count = 0;
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, group->members);
    while (g_hash_table_iter_next(&iter, &value, NULL)) {
        GroupPhase phase = group_get_phase(group, value);

        is_well &= !is_disturbed(value, phase);
        if (phase == GROUP_PHASE_UP || phase == GROUP_PHASE_ASIDE) {
            g_hash_table_add(all.served, g_strdup(((Instance *) value)->record.view.id));
            count++;
        }
    }
    *ret_count = count;
    return is_well;
}

/* A change of what is to be had begins anew, unless all were there. */
static bool
is_the_same(const ProtoGroupRecord *record, const Track *track)
{
    bool is_full = track->n_in_service == track->wanted;

    return record->view.wanted == track->wanted &&
           (is_full || (record->view.max_unavailable == track->max_unavailable &&
                        strcmp(record->template_id, track->template_id) == 0));
}

static void
check_service(const Group *group, Track *track)
{
    const ProtoGroup *view = &group->record.view;
    gint64 n_in_service = 0;
    bool is_well = count_in_service(group, &n_in_service);
    gint64 spared = view->rolling ? MAX(view->max_unavailable, 1) : 0;

    track->was_whole &= is_well && is_the_same(&group->record, track);
    track->was_whole |= is_well && n_in_service == view->wanted;
    if (track->was_whole && n_in_service < view->wanted - spared)
        world_blame("group %s has %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                    " in service, by its own doing",
                    view->name, n_in_service, view->wanted);
    track->n_in_service = n_in_service;
    track->wanted = view->wanted;
    track->max_unavailable = view->max_unavailable;
    if (strcmp(track->template_id, group->record.template_id) != 0) {
        g_free(track->template_id);
        track->template_id = g_strdup(group->record.template_id);
    }
}

/* In each turn */

static void
check_group(const Group *group)
{
    const ProtoGroup *view = &group->record.view;
    Track *track = get_track(view->id);

    if (track->n_members > view->max)
        world_blame("group %s has %" G_GINT64_FORMAT
                    " members, its most is %" G_GINT64_FORMAT,
                    view->name, track->n_members, view->max);
    if (track->n_members != g_hash_table_size(group->members))
        world_blame("group %s knows %u members, it has %" G_GINT64_FORMAT, view->name,
                    g_hash_table_size(group->members), track->n_members);
    else
        check_service(group, track);
    track->open_until_ms = group->record.open_until_ms;
}

/* Nothing is concluded from the turn before. */
static void
forget_turn(void)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, all.tracks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Track *track = value;

        track->open_until_ms = 0;
        track->was_whole = false;
    }
}

void
groups_watch(void)
{
    gint64 offset_ms = 0;
    GHashTableIter iter;
    gpointer group = NULL;
    guint n_faults = world_count_faults();

    if (!groups_are_on() || process_get() == NULL || all.n_blamed > 0)
        return;
    offset_ms = clock_wall_ms() - world_now_ms();
    if (offset_ms != all.wall_offset_ms)
        forget_turn();
    all.wall_offset_ms = offset_ms;
    check_members();
    g_hash_table_iter_init(&iter, get_book()->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &group)) {
        check_group(group);
    }
    all.n_blamed = world_count_faults() - n_faults;
}

/* Removals */

static void
note_removal(const Operation *operation)
{
    const ProtoOperation *view = &operation->record.view;

    if (view->kind != OPERATION_KIND_GROUP_REMOVE)
        return;
    if (operation->is_durable)
        g_hash_table_add(all.removing, g_strdup(view->target));
    if (operation->has_ended && view->state == OPERATION_STATE_SUCCEEDED)
        g_hash_table_add(all.gone, g_strdup(view->target));
}

static void
check_removal(const ProtoGroupRecord *record)
{
    if (g_hash_table_contains(all.gone, record->view.id))
        world_blame("group %s was removed, and is there", record->view.name);
    else if (g_hash_table_contains(all.removing, record->view.id) && !record->removing)
        world_blame("group %s was to be removed, and stays", record->view.name);
}

static void
check_quota(const char *tenant)
{
    TenantBook *tenants = process_get()->rpc.tenants;
    gint64 used = tenant_get_use(tenants, tenant).amount[QUOTA_GROUPS];

    if (used > tenant_get_limit(tenants, tenant).amount[QUOTA_GROUPS])
        world_blame("tenant %s has %" G_GINT64_FORMAT " groups", tenant, used);
}

void
groups_look(void)
{
    const GQueue *operations = operation_engine_get_all(process_get()->rpc.engine);
    GHashTableIter iter;
    gpointer value = NULL;

    if (!groups_are_on())
        return;
    for (const GList *item = operations->head; item != NULL; item = item->next) {
        note_removal(item->data);
    }
    g_hash_table_iter_init(&iter, get_book()->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const ProtoGroupRecord *record = &((const Group *) value)->record;

        check_removal(record);
        check_quota(record->view.tenant);
    }
}

/* At rest */

static bool
is_at_rest(Group *group)
{
    group_count(group);
    return group->record.view.state == GROUP_STATE_STEADY ||
           (group->record.view.state == GROUP_STATE_HELD_UP &&
            (group->record.view.halted || group->hindrance != NULL));
}

bool
groups_are_at_rest(void)
{
    GHashTableIter iter;
    gpointer group = NULL;

    g_hash_table_iter_init(&iter, get_book()->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &group)) {
        if (!is_at_rest(group))
            return false;
    }
    return true;
}

/* The number that was asked for last; false if that is not known. */
static bool
find_asked(const Group *group, gint64 *ret_count)
{
    const GQueue *operations = operation_engine_get_all(process_get()->rpc.engine);

    for (const GList *item = operations->tail; item != NULL; item = item->prev) {
        const ProtoOperation *view = &((const Operation *) item->data)->record.view;

        if (g_strcmp0(view->target, group->record.view.id) == 0 &&
            view->kind != OPERATION_KIND_GROUP_UPDATE)
            return groups_find_count(view->request_id, ret_count);
    }
    return false;
}

static void
check_rest(Group *group)
{
    const ProtoGroup *view = &group->record.view;
    gint64 asked = 0;
    g_auto(GroupPlan) plan = { 0 };

    if (!is_at_rest(group))
        world_blame("group %s is at rest and %s: %s", view->name,
                    group_state_to_string(view->state),
                    view->reason != NULL ? view->reason : "-");
    group_look_ahead(group, NULL, &plan);
    if (group->hindrance != NULL && plan.n_create > 0 && group_has_room(group, 1, NULL))
        world_blame("group %s has room, and says: %s", view->name, group->hindrance);
    if (!groups_may_scale(view->name) && find_asked(group, &asked) &&
        asked != view->wanted)
        world_blame("group %s wants %" G_GINT64_FORMAT
                    " members, and was told %" G_GINT64_FORMAT,
                    view->name, view->wanted, asked);
}

/* What scales by itself may go on doing so. */
static void
check_stillness(void)
{
    g_autoptr(GHashTable) before = g_steal_pointer(&all.resting);
    GHashTableIter iter;
    gpointer value = NULL;

    all.resting = new_set();
    g_hash_table_iter_init(&iter, process_get()->rpc.instances->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const ProtoInstance *view = &((const Instance *) value)->record.view;

        if (view->group == NULL || groups_may_scale(view->group))
            continue;
        g_hash_table_add(all.resting, g_strdup(view->id));
        if (before != NULL && !g_hash_table_remove(before, view->id))
            world_blame("instance %s was made at rest", view->name);
    }
    if (before != NULL && g_hash_table_size(before) > 0)
        world_blame("%u members were removed at rest", g_hash_table_size(before));
}

void
groups_check(void)
{
    GHashTableIter iter;
    gpointer group = NULL;

    if (!groups_are_on())
        return;
    g_hash_table_iter_init(&iter, get_book()->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &group)) {
        check_rest(group);
    }
    check_stillness();
}

ProtoGroupRecord *
groups_copy_told(const Group *group)
{
    ProtoGroupRecord *told = g_new0(ProtoGroupRecord, 1);
    ProtoGroup *view = &told->view;

    proto_group_record_copy(&group->record, told);
    view->members = view->coming = view->up = view->aside = 0;
    view->sick = view->dead = view->leaving = view->outdated = 0;
    view->state = GROUP_STATE_STEADY;
    g_clear_pointer(&view->reason, g_free);
    g_clear_pointer(&view->decision, g_free);
    g_clear_pointer(&view->open_until, g_free);
    return told;
}

guint
groups_count_members(void)
{
    return g_hash_table_size(all.known);
}

/* Life */

void
groups_oracle_begin(void)
{
    all.tracks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, track_free);
    all.known = new_set();
    all.served = new_set();
    all.removing = new_set();
    all.gone = new_set();
    all.n_blamed = 0;
    all.wall_offset_ms = 0;
}

void
groups_oracle_start(void)
{
    if (!groups_are_on())
        return;
    forget_turn();
    groups_look();
    groups_watch();
}

void
groups_oracle_end(void)
{
    g_clear_pointer(&all.tracks, g_hash_table_unref);
    g_clear_pointer(&all.known, g_hash_table_unref);
    g_clear_pointer(&all.served, g_hash_table_unref);
    g_clear_pointer(&all.resting, g_hash_table_unref);
    g_clear_pointer(&all.removing, g_hash_table_unref);
    g_clear_pointer(&all.gone, g_hash_table_unref);
}
