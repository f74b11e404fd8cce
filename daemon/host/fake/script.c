/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/fake/script.h"

#include <json-glib/json-glib.h>
#include <string.h>

static const gint64 tebibyte = 1099511627776;

static void
rule_clear(gpointer data)
{
    ScriptRule *rule = data;

    g_free(rule->method);
    g_free(rule->error);
    g_free(rule->message);
}

static gint64
get_int(JsonObject *object, const char *name, gint64 otherwise)
{
    return json_object_get_int_member_with_default(object, name, otherwise);
}

static bool
get_flag(JsonObject *object, const char *name)
{
    return json_object_get_boolean_member_with_default(object, name, FALSE);
}

static void
read_rule(JsonArray *array, guint index, JsonNode *node, gpointer data)
{
    JsonObject *object = json_node_get_object(node);
    const ScriptRule rule = {
        .method =
            g_strdup(json_object_get_string_member_with_default(object, "method", "*")),
        .after = get_int(object, "after", 0),
        .times = get_int(object, "times", -1),
        .error =
            g_strdup(json_object_get_string_member_with_default(object, "error", NULL)),
        .message = g_strdup(
            json_object_get_string_member_with_default(object, "message", "scripted")),
        .delay_ms = get_int(object, "delay_ms", 0),
        .hang = get_flag(object, "hang"),
        .exit = get_flag(object, "exit"),
        .exit_after = get_flag(object, "exit_after"),
        .deaf = get_flag(object, "deaf"),
        .twice = get_flag(object, "twice"),
        .late = get_flag(object, "late"),
    };

    g_array_append_val((GArray *) data, rule);
}

static char **
get_words(JsonObject *object, const char *name)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    JsonArray *array = json_object_has_member(object, name)
                           ? json_object_get_array_member(object, name)
                           : NULL;

    for (guint i = 0; array != NULL && i < json_array_get_length(array); i++) {
        g_ptr_array_add(words, g_strdup(json_array_get_string_element(array, i)));
    }
    g_ptr_array_add(words, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

static void
read_counters(JsonArray *array, guint index, JsonNode *node, gpointer data)
{
    JsonObject *object = json_node_get_object(node);
    JsonObject *raw = json_object_has_member(object, "raw")
                          ? json_object_get_object_member(object, "raw")
                          : NULL;
    g_auto(GStrv) untold = get_words(object, "untold");
    ScriptCounters counters = {
        .name = g_strdup(json_object_get_string_member(object, "name")),
        .without = get_words(object, "without"),
        .incarnation = g_strdup(
            json_object_get_string_member_with_default(object, "incarnation", "1")),
        .inactive = get_flag(object, "inactive"),
    };

    for (int counter = 0; counter < COUNTER_N; counter++) {
        const char *word = counter_to_string((Counter) counter);

        counters.raw[counter] = raw != NULL ? get_int(raw, word, -1) : -1;
        counters.untold[counter] = g_strv_contains((const char *const *) untold, word);
    }
    g_array_append_val((GArray *) data, counters);
}

const ScriptCounters *
script_find_counters(const ScriptFigures *figures, const char *name)
{
    for (guint i = 0; figures->counters != NULL && i < figures->counters->len; i++) {
        const ScriptCounters *counters =
            &g_array_index(figures->counters, ScriptCounters, i);

        if (strcmp(counters->name, name) == 0)
            return counters;
    }
    return NULL;
}

static const GArray *
read_all_counters(JsonObject *object)
{
    GArray *counters = NULL;

    if (!json_object_has_member(object, "counters"))
        return NULL;
    counters = g_array_new(FALSE, TRUE, sizeof(ScriptCounters));
    json_array_foreach_element(json_object_get_array_member(object, "counters"),
                               read_counters, counters);
    return counters;
}

Script *
script_read(const char *path, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(JsonObject) none = json_object_new();
    JsonObject *object = none;
    Script *script = NULL;

    if (path != NULL) {
        if (!json_parser_load_from_file(parser, path, error))
            return NULL;
        object = json_node_get_object(json_parser_get_root(parser));
    }
    script = g_new0(Script, 1);
    script->figures.vcpus = get_int(object, "vcpus", 65536);
    script->figures.memory_bytes = get_int(object, "memory_bytes", 256 * tebibyte);
    script->figures.disk_bytes = get_int(object, "disk_bytes", 4096 * tebibyte);
    script->figures.foreign = get_int(object, "foreign", 0);
    script->figures.agent_ms = get_int(object, "agent_ms", 20);
    script->figures.live_resize =
        json_object_get_boolean_member_with_default(object, "live_resize", TRUE);
    script->figures.counters = read_all_counters(object);
    script->rules = g_array_new(FALSE, TRUE, sizeof(ScriptRule));
    g_array_set_clear_func(script->rules, rule_clear);
    if (json_object_has_member(object, "rules"))
        json_array_foreach_element(json_object_get_array_member(object, "rules"),
                                   read_rule, script->rules);
    return script;
}

void
script_free(Script *script)
{
    if (script == NULL)
        return;
    g_clear_pointer(&script->rules, g_array_unref);
    g_free(script);
}

static bool
is_for(const ScriptRule *rule, const char *method)
{
    bool any = strcmp(rule->method, "*") == 0 && strcmp(method, SCRIPT_EVENT) != 0 &&
               strcmp(method, SCRIPT_SICK) != 0 && strcmp(method, SCRIPT_RESIZED) != 0;

    return any || strcmp(rule->method, method) == 0;
}

const ScriptRule *
script_match(Script *script, const char *method)
{
    for (guint i = 0; i < script->rules->len; i++) {
        ScriptRule *rule = &g_array_index(script->rules, ScriptRule, i);

        if (!is_for(rule, method) || rule->times == 0)
            continue;
        if (rule->after > 0) {
            rule->after--;
            continue;
        }
        if (rule->times > 0)
            rule->times--;
        return rule;
    }
    return NULL;
}
