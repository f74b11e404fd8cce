/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/failpoint.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char *name;
    char *action;
    guint64 nth;
    guint64 passed;
} Rule;

static GMutex lock;
static GPtrArray *rules;
static int trace = -1;

/* A rule that cannot be read would be a test that tests nothing. */
static Rule *
parse_rule(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "=", 2);
    Rule *rule = g_new0(Rule, 1);
    char *at = NULL;

    if (g_strv_length(parts) != 2)
        g_error("VMCTL_FAILPOINTS: \"%s\" is not NAME=ACTION", text);
    rule->name = g_strdup(parts[0]);
    rule->action = g_strdup(parts[1]);
    rule->nth = 1;
    at = strchr(rule->action, '@');
    if (at != NULL) {
        *at = '\0';
        if (!g_ascii_string_to_unsigned(at + 1, 10, 1, G_MAXUINT32, &rule->nth, NULL))
            g_error("VMCTL_FAILPOINTS: \"%s\" has no number after @", text);
    }
    if (strcmp(rule->action, "kill") != 0 && strcmp(rule->action, "error") != 0 &&
        !g_str_has_prefix(rule->action, "delay:"))
        g_error("VMCTL_FAILPOINTS: \"%s\" is no action", rule->action);
    return rule;
}

static void
read_environment(void)
{
    g_auto(GStrv) texts = g_strsplit(
        g_getenv("VMCTL_FAILPOINTS") != NULL ? g_getenv("VMCTL_FAILPOINTS") : "", ",",
        -1);
    const char *path = g_getenv("VMCTL_FAILPOINTS_TRACE");

    rules = g_ptr_array_new();
    for (gsize i = 0; texts[i] != NULL; i++) {
        if (*texts[i] != '\0')
            g_ptr_array_add(rules, parse_rule(texts[i]));
    }
    if (path != NULL)
        trace = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static const char *
find_action(const char *name)
{
    for (guint i = 0; i < rules->len; i++) {
        Rule *rule = rules->pdata[i];

        if (strcmp(rule->name, name) == 0 && ++rule->passed == rule->nth)
            return rule->action;
    }
    return NULL;
}

bool
failpoint_pass(const char *what, const char *step, const char *side)
{
    g_autofree char *name = g_strdup_printf("%s.%s.%s", what, step, side);
    const char *action = NULL;

    g_mutex_lock(&lock);
    if (rules == NULL)
        read_environment();
    if (trace >= 0)
        dprintf(trace, "%s\n", name);
    action = find_action(name);
    g_mutex_unlock(&lock);
    if (action == NULL)
        return false;
    if (strcmp(action, "error") == 0)
        return true;
    if (strcmp(action, "kill") == 0)
        kill(getpid(), SIGKILL);
    else
        g_usleep(g_ascii_strtoull(action + strlen("delay:"), NULL, 10) * 1000);
    return false;
}
