/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "wire/guard.h"

enum {
    FILE_BYTES = 16777216,
    FILE_TOKENS = 1048576,
    FILE_DEPTH = 8,
    OBJECT_KEYS = 64,
    STRING_BYTES = 49152
};

static const char label_key[] = "fleet";

static bool refuse(GError **error, const char *path, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static bool
refuse(GError **error, const char *path, const char *format, ...)
{
    va_list arguments;
    g_autofree char *message = NULL;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    proto_error_set_invalid_parameter(error, path, message, "%s %s", path, message);
    return false;
}

/* Labels: key, value, key, value, sorted */

static const char *
find_label(char *const *labels, const char *key)
{
    for (gsize i = 0; labels != NULL && labels[i] != NULL; i += 2) {
        if (strcmp(labels[i], key) == 0)
            return labels[i + 1];
    }
    return NULL;
}

static void
add_label(char ***labels, const char *value)
{
    gsize length = *labels != NULL ? g_strv_length(*labels) : 0;
    gsize at = 0;

    while (at < length && strcmp((*labels)[at], label_key) < 0) {
        at += 2;
    }
    *labels = g_renew(char *, *labels, length + 3);
    memmove(*labels + at + 2, *labels + at, (length - at) * sizeof(char *));
    (*labels)[at] = g_strdup(label_key);
    (*labels)[at + 1] = g_strdup(value);
    (*labels)[length + 2] = NULL;
}

/* The file */

/** A list of the file, and what its rows are parsed into. */
typedef struct {
    const char *member;
    const WireStruct *type;
    gsize labels_offset;
    gsize name_offset;
    const char *name_member;
} List;

static const List lists[] = {
    { "groups", &proto_group_create_call_type, offsetof(ProtoGroupCreateCall, labels),
      offsetof(ProtoGroupCreateCall, group), "group" },
    { "instances", &proto_instance_create_call_type,
      offsetof(ProtoInstanceCreateCall, labels), offsetof(ProtoInstanceCreateCall, name),
      "name" },
};

static bool
parse_row(const List *list,
          JsonNode *node,
          guint index,
          const char *fleet,
          GHashTable *names,
          void *row,
          GError **error)
{
    g_autofree char *path = g_strdup_printf("%s[%u]", list->member, index);
    char **name = (gpointer) ((char *) row + list->name_offset);
    char ***labels = (gpointer) ((char *) row + list->labels_offset);

    if (!JSON_NODE_HOLDS_OBJECT(node))
        return refuse(error, path, "is no object");
    if (!wire_struct_parse(list->type, json_node_get_object(node), path,
                           WIRE_PARSE_STRICT, row, error))
        return false;
    if (*name == NULL)
        return refuse(error, path, "has no %s", list->name_member);
    if (!g_hash_table_add(names, *name))
        return refuse(error, path, "names \"%s\" a second time", *name);
    if (find_label(*labels, label_key) != NULL)
        return refuse(error, path, "has the label \"%s\", which the fleet sets",
                      label_key);
    add_label(labels, fleet);
    return true;
}

static bool
parse_list(const List *list,
           JsonObject *root,
           const char *fleet,
           gpointer *ret_rows,
           gsize *ret_n_rows,
           GError **error)
{
    JsonNode *node = json_object_get_member(root, list->member);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    JsonArray *array = NULL;

    if (node == NULL)
        return true;
    if (!JSON_NODE_HOLDS_ARRAY(node))
        return refuse(error, list->member, "is no list");
    array = json_node_get_array(node);
    *ret_rows = g_malloc0_n(json_array_get_length(array) + 1, list->type->size);
    for (guint i = 0; i < json_array_get_length(array); i++) {
        *ret_n_rows = i + 1;
        if (!parse_row(list, json_array_get_element(array, i), i, fleet, names,
                       (char *) *ret_rows + i * list->type->size, error))
            return false;
    }
    return true;
}

static bool
check_members(JsonObject *root, GError **error)
{
    static const char *const known[] = { "fleet", "groups", "instances", NULL };
    g_autoptr(GList) members = json_object_get_members(root);

    for (const GList *item = members; item != NULL; item = item->next) {
        if (!g_strv_contains(known, item->data))
            return refuse(error, item->data, "is none of fleet, groups and instances");
    }
    return true;
}

static bool
check_alone(const Fleet *fleet, GError **error)
{
    for (gsize i = 0; i < fleet->n_instances; i++) {
        const ProtoInstanceCreateCall *row = &fleet->instances[i];

        if (row->has_count || row->has_dry_run || row->request_id != NULL ||
            row->tenant != NULL)
            return refuse(error, "instances",
                          "have no count, dry_run, request_id or tenant: \"%s\" does",
                          row->name);
    }
    for (gsize i = 0; i < fleet->n_groups; i++) {
        if (fleet->groups[i].request_id != NULL || fleet->groups[i].tenant != NULL)
            return refuse(error, "groups", "have no request_id or tenant: \"%s\" does",
                          fleet->groups[i].group);
    }
    return true;
}

bool
fleet_parse(const char *text, Fleet *ret_fleet, GError **error)
{
    const WireLimits limits = { FILE_BYTES, FILE_DEPTH, FILE_TOKENS, OBJECT_KEYS,
                                STRING_BYTES };
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_auto(Fleet) fleet = { 0 };
    JsonObject *root = NULL;
    const char *name = NULL;

    if (!guard_check(text, strlen(text), &limits, error) ||
        !json_parser_load_from_data(parser, text, -1, error))
        return false;
    root = json_node_get_object(json_parser_get_root(parser));
    if (!check_members(root, error))
        return false;
    name = json_object_get_string_member_with_default(root, "fleet", NULL);
    if (name == NULL || !wire_format_check(WIRE_FORMAT_NAME, name, NULL))
        return refuse(error, "fleet", "is to be a name, which its label gets");
    fleet.name = g_strdup(name);
    if (!parse_list(&lists[0], root, name, (gpointer *) &fleet.groups, &fleet.n_groups,
                    error) ||
        !parse_list(&lists[1], root, name, (gpointer *) &fleet.instances,
                    &fleet.n_instances, error) ||
        !check_alone(&fleet, error))
        return false;
    *ret_fleet = fleet;
    fleet = (Fleet){ 0 };
    return true;
}

void
fleet_clear(Fleet *fleet)
{
    for (gsize i = 0; i < fleet->n_groups; i++) {
        proto_group_create_call_clear(&fleet->groups[i]);
    }
    for (gsize i = 0; i < fleet->n_instances; i++) {
        proto_instance_create_call_clear(&fleet->instances[i]);
    }
    g_free(fleet->groups);
    g_free(fleet->instances);
    g_free(fleet->name);
    *fleet = (Fleet){ 0 };
}

/* Steps */

static void
step_free(gpointer data)
{
    FleetStep *step = data;

    if (step->in != NULL)
        wire_struct_clear(step->method->call, step->in);
    g_free(step->in);
    g_free(step->name);
    g_free(step->detail);
    g_free(step);
}

/* Takes detail; in is copied, and gets a request id. */
static void
add_step(GPtrArray *steps,
         const char *action,
         const char *kind,
         const char *name,
         char *detail,
         const WireMethod *method,
         const void *in)
{
    FleetStep *step = g_new0(FleetStep, 1);

    *step = (FleetStep){ action, kind, g_strdup(name), detail, method, NULL };
    if (method != NULL) {
        step->in = g_malloc0(method->call->size);
        wire_struct_copy(method->call, in, step->in);
    }
    g_ptr_array_add(steps, step);
}

/* "name:version" is a version of name, or just that one. */
static bool
is_template(const char *asked, const char *has)
{
    gsize length = strlen(asked);

    return g_str_has_prefix(has, asked) &&
           (has[length] == '\0' || (has[length] == ':' && strchr(asked, ':') == NULL));
}

static bool
is_labelled(char *const *asked, char *const *has)
{
    for (gsize i = 0; asked != NULL && asked[i] != NULL; i += 2) {
        if (g_strcmp0(find_label(has, asked[i]), asked[i + 1]) != 0)
            return false;
    }
    return true;
}

static bool
is_text(const char *asked, const char *has)
{
    return asked == NULL || g_strcmp0(asked, has) == 0;
}

static bool
is_placed(const ProtoInstanceCreateCall *asked, const ProtoPlacement *placement)
{
    const ProtoPlacement none = { 0 };
    const ProtoPlacement *has = placement != NULL ? placement : &none;

    return is_text(asked->pool, has->pool) &&
           is_labelled(asked->host_labels, has->host_labels) &&
           is_labelled(asked->anti_affinity, has->anti_affinity) &&
           is_text(asked->anti_affinity_by, has->anti_affinity_by) &&
           (!asked->has_anti_affinity_soft ||
            asked->anti_affinity_soft == has->anti_affinity_soft);
}

/* What of an instance stays as it was made. */
static const char *
find_fixed(const ProtoInstanceCreateCall *asked, const ProtoInstance *has)
{
    if (has->group != NULL)
        return "it is a member of a group";
    if (asked->template != NULL && !is_template(asked->template, has->template))
        return "it is made from another template";
    if (!is_placed(asked, has->placement))
        return "it is placed otherwise";
    return is_labelled(asked->labels, has->labels) ? NULL : "it has other labels";
}

static void
compare_instance(const ProtoInstanceCreateCall *asked,
                 const ProtoInstance *has,
                 GPtrArray *steps)
{
    const char *fixed = find_fixed(asked, has);
    const ProtoSize size =
        has->next != NULL ? *has->next
                          : (ProtoSize){ has->vcpus, has->memory_bytes, has->disk_bytes };
    const ProtoInstanceResizeCall resize = {
        .instance = has->id,
        .has_vcpus = asked->has_vcpus && asked->vcpus != size.vcpus,
        .vcpus = asked->vcpus,
        .has_memory_bytes =
            asked->has_memory_bytes && asked->memory_bytes != size.memory_bytes,
        .memory_bytes = asked->memory_bytes,
        .has_disk_bytes = asked->has_disk_bytes && asked->disk_bytes != size.disk_bytes,
        .disk_bytes = asked->disk_bytes,
    };

    if (fixed != NULL) {
        add_step(steps, "refuse", "instance", has->name, g_strdup(fixed), NULL, NULL);
    } else if (resize.has_vcpus || resize.has_memory_bytes || resize.has_disk_bytes) {
        add_step(steps, "resize", "instance", has->name,
                 g_strdup_printf("%s%s%s", resize.has_vcpus ? "vcpus " : "",
                                 resize.has_memory_bytes ? "memory " : "",
                                 resize.has_disk_bytes ? "disk" : ""),
                 &proto_instance_resize, &resize);
    }
}

static const char *
find_fixed_of_group(const ProtoGroupCreateCall *asked, const ProtoGroup *has)
{
    if (asked->max != has->max || (asked->has_min && asked->min != has->min))
        return "it has another min or max";
    if ((asked->has_vcpus && asked->vcpus != has->vcpus) ||
        (asked->has_memory_bytes && asked->memory_bytes != has->memory_bytes) ||
        (asked->has_disk_bytes && asked->disk_bytes != has->disk_bytes))
        return "its members have another size";
    if (!is_text(asked->spread, has->spread) || !is_text(asked->pool, has->pool) ||
        !is_labelled(asked->host_labels, has->host_labels))
        return "its members are placed otherwise";
    if (!is_text(asked->health, has->health))
        return "it has another health";
    if (asked->has_victims && asked->victims != has->victims)
        return "it has another rule for victims";
    return is_labelled(asked->labels, has->labels) ? NULL : "it has other labels";
}

static void
compare_group(const ProtoGroupCreateCall *asked, const ProtoGroup *has, GPtrArray *steps)
{
    const char *fixed = find_fixed_of_group(asked, has);

    if (fixed != NULL) {
        add_step(steps, "refuse", "group", has->name, g_strdup(fixed), NULL, NULL);
        return;
    }
    /* What chooses its number itself keeps it. */
    if (asked->has_count && asked->count != has->wanted && has->scaling == NULL) {
        const ProtoGroupScaleCall scale = { .group = has->id, .count = asked->count };

        add_step(steps, "scale", "group", has->name,
                 g_strdup_printf("from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                                 has->wanted, asked->count),
                 &proto_group_scale, &scale);
    }
    if (asked->template != NULL && !is_template(asked->template, has->template)) {
        const ProtoGroupUpdateCall update = { .group = has->id,
                                              .template = asked->template };

        add_step(steps, "update", "group", has->name,
                 g_strdup_printf("from %s to %s", has->template, asked->template),
                 &proto_group_update, &update);
    }
}

/* Comparing */

static void
prune_all(const Fleet *fleet,
          const FleetPresent *present,
          GHashTable *groups,
          GHashTable *instances,
          GPtrArray *steps)
{
    for (gsize i = 0; i < present->n_groups; i++) {
        const ProtoGroup *has = &present->groups[i];
        const ProtoGroupRemoveCall remove = { .group = has->id };

        if (g_strcmp0(find_label(has->labels, label_key), fleet->name) == 0 &&
            !g_hash_table_contains(groups, has->name))
            add_step(steps, "remove", "group", has->name, g_strdup("it is not named"),
                     &proto_group_remove, &remove);
    }
    for (gsize i = 0; i < present->n_instances; i++) {
        const ProtoInstance *has = &present->instances[i];
        const ProtoInstanceDestroyCall destroy = { .instance = has->id };

        if (has->group == NULL && has->desired != INSTANCE_WISH_DESTROYED &&
            g_strcmp0(find_label(has->labels, label_key), fleet->name) == 0 &&
            !g_hash_table_contains(instances, has->name))
            add_step(steps, "remove", "instance", has->name, g_strdup("it is not named"),
                     &proto_instance_destroy, &destroy);
    }
}

static void
compare_groups(const Fleet *fleet,
               const FleetPresent *present,
               GHashTable *named,
               GPtrArray *steps)
{
    g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);

    for (gsize i = 0; i < present->n_groups; i++) {
        g_hash_table_insert(by_name, present->groups[i].name,
                            (gpointer) (gsize) &present->groups[i]);
    }
    for (gsize i = 0; i < fleet->n_groups; i++) {
        const ProtoGroupCreateCall *asked = &fleet->groups[i];
        const ProtoGroup *has = g_hash_table_lookup(by_name, asked->group);

        g_hash_table_add(named, asked->group);
        if (has != NULL) {
            compare_group(asked, has, steps);
        } else {
            add_step(steps, "create", "group", asked->group, g_strdup("it is not there"),
                     &proto_group_create, asked);
        }
    }
}

static void
compare_instances(const Fleet *fleet,
                  const FleetPresent *present,
                  GHashTable *named,
                  GPtrArray *steps)
{
    g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);

    for (gsize i = 0; i < present->n_instances; i++) {
        g_hash_table_insert(by_name, present->instances[i].name,
                            (gpointer) (gsize) &present->instances[i]);
    }
    for (gsize i = 0; i < fleet->n_instances; i++) {
        const ProtoInstanceCreateCall *asked = &fleet->instances[i];
        const ProtoInstance *has = g_hash_table_lookup(by_name, asked->name);

        g_hash_table_add(named, asked->name);
        if (has != NULL) {
            compare_instance(asked, has, steps);
        } else {
            add_step(steps, "create", "instance", asked->name,
                     g_strdup("it is not there"), &proto_instance_create, asked);
        }
    }
}

GPtrArray *
fleet_compare(const Fleet *fleet, const FleetPresent *present, bool prune)
{
    GPtrArray *steps = g_ptr_array_new_with_free_func(step_free);
    g_autoptr(GHashTable) groups = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) instances = g_hash_table_new(g_str_hash, g_str_equal);

    compare_groups(fleet, present, groups, steps);
    compare_instances(fleet, present, instances, steps);
    if (prune)
        prune_all(fleet, present, groups, instances, steps);
    return steps;
}
